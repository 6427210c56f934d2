output "function_name" {
  description = "The Lambda function's name."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "ARN of the alias `live`, which all callers use."
  value       = aws_lambda_alias.live.arn
}

output "alias_name" {
  description = "Name of that alias."
  value       = aws_lambda_alias.live.name
}

output "role_name" {
  description = "The function's role, for modules that add permissions of an event source."
  value       = aws_iam_role.this.name
}

output "role_arn" {
  description = "ARN of that role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.this.name
}
