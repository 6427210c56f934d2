output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Private subnets in different zones; a VPC created here has two or three."
  value       = local.subnet_ids
}

output "security_group_id" {
  description = "Security group of the brokers and their readers."
  value       = local.security_group_id
}
