output "machine_name" {
  description = "The state machine's name."
  value       = module.machine.name
}

output "machine_arn" {
  description = "The state machine's ARN."
  value       = module.machine.arn
}

output "stopped_rule_arn" {
  description = "EventBridge's rule that calls sweep_runs."
  value       = module.machine.stopped_rule_arn
}

output "topic_arn" {
  description = "Topic of notifications; each has an attribute `approver`, the recipient's e-mail address."
  value       = module.topic.arn
}

output "api_stage_arn" {
  description = "ARN of the API's stage, for permissions to call it or to be called by it."
  value       = "${aws_api_gateway_rest_api.this.execution_arn}/${local.stage}"
}

output "api" {
  description = "The REST API: id, name, ARN to call it by, and name and ARN of its stage."
  value = {
    id            = aws_api_gateway_rest_api.this.id
    name          = aws_api_gateway_rest_api.this.name
    execution_arn = aws_api_gateway_rest_api.this.execution_arn
    stage         = aws_api_gateway_stage.this.stage_name
    stage_arn     = aws_api_gateway_stage.this.arn
  }
}

output "base_url" {
  description = "Base address of the API, without a trailing slash."
  value       = var.links_base_url == null ? aws_api_gateway_stage.this.invoke_url : replace(var.links_base_url, "{api_id}", aws_api_gateway_rest_api.this.id)
}

output "role" {
  description = "Name and ARN of the state machine's role."
  value       = module.machine.role
}
