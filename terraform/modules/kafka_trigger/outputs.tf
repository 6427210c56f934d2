output "uuid" {
  description = "The event source mapping's id."
  value       = aws_lambda_event_source_mapping.this.uuid
}

output "consumer_group_id" {
  description = "The consumer group whose offsets show how far the function has read."
  value       = var.consumer_group_id
}
