output "url" {
  description = "Where messages are sent."
  value       = aws_sqs_queue.messages.id
}

output "dead_letters_url" {
  description = "Where messages go that were given up."
  value       = aws_sqs_queue.dead_letters.id
}

output "names" {
  description = "Names of both queues, for alarms. Known before they are there."
  value       = { messages = var.queue_name, dead_letters = local.dead_letters_name }
}

output "uuid" {
  description = "The event source mapping's id."
  value       = aws_lambda_event_source_mapping.this.uuid
}
