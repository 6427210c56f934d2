output "name" {
  description = "The state machine's name."
  value       = module.machine.name
}

output "arn" {
  description = "The state machine's ARN."
  value       = module.machine.arn
}

output "role" {
  description = "Name and ARN of the state machine's role."
  value       = module.machine.role
}

output "log_group_name" {
  description = "Log group of the executions."
  value       = module.machine.log.group_name
}
