output "name" {
  description = "The state machine's name."
  value       = module.machine.name
}

output "arn" {
  description = "The state machine's ARN."
  value       = module.machine.arn
}
