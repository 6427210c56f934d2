output "machine_arn" {
  description = "The state machine's ARN."
  value       = aws_sfn_state_machine.this.arn
}

output "machine_name" {
  description = "The state machine's name."
  value       = aws_sfn_state_machine.this.name
}

output "stopped_rule_arn" {
  description = "EventBridge's rule that calls sweep_runs."
  value       = aws_cloudwatch_event_rule.stopped.arn
}

output "topic_arn" {
  description = "Topic of services that are handed over to people."
  value       = aws_sns_topic.alerts.arn
}
