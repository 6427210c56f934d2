output "subnet_ids" {
  description = "One private subnet per zone, in three zones."
  value       = aws_subnet.private[*].id
}

output "security_group_id" {
  description = "Group of the brokers and of those who read from them."
  value       = aws_security_group.kafka.id
}
