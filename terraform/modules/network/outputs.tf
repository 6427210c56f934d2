output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Private subnets, each in another zone; of a VPC made here, in two or three zones."
  value       = local.subnet_ids
}

output "security_group_id" {
  description = "Group of the brokers and of those who read from them."
  value       = local.security_group_id
}
