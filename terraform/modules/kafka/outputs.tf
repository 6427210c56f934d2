output "cluster_arn" {
  description = "The cluster's ARN."
  value       = local.provisioned ? aws_msk_cluster.this[0].arn : aws_msk_serverless_cluster.this[0].arn
}
