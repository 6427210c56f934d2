output "name" {
  description = "The state machine's name."
  value       = aws_sfn_state_machine.this.name
}

output "arn" {
  description = "The state machine's ARN."
  value       = aws_sfn_state_machine.this.arn
}

output "definition" {
  description = "The definition, filled in."
  value       = aws_sfn_state_machine.this.definition
}

output "role" {
  description = "Name and ARN of the machine's role."
  value       = { name = aws_iam_role.this.name, arn = aws_iam_role.this.arn }
}

output "stopped_rule_arn" {
  description = "EventBridge's rule that calls sweep_runs; null if `on_stop` is null."
  value       = one(aws_cloudwatch_event_rule.stopped[*].arn)
}

output "statements" {
  description = "The statements of its role's policy."
  value       = data.aws_iam_policy_document.this.statement
}

output "log" {
  description = "Name of the log group of executions, and whether it has input and output of states."
  value = {
    group_name = aws_cloudwatch_log_group.this.name
    has_data   = aws_sfn_state_machine.this.logging_configuration[0].include_execution_data
  }
}
