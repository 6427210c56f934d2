output "machine_arn" {
  description = "The state machine's ARN."
  value       = module.machine.arn
}

output "machine_name" {
  description = "The state machine's name."
  value       = module.machine.name
}

output "stopped_rule_arn" {
  description = "EventBridge's rule that calls sweep_runs."
  value       = module.machine.stopped_rule_arn
}

output "topic_arn" {
  description = "Topic of services that Slipway escalates to people."
  value       = module.topic.arn
}

output "role" {
  description = "Name and ARN of the state machine's role."
  value       = module.machine.role
}
