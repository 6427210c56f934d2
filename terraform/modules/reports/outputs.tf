output "stage_arn" {
  description = "ARN of the API's stage, for the right to be called by it."
  value       = "${aws_api_gateway_rest_api.this.execution_arn}/${local.stage}"
}

output "api" {
  description = "Name and stage of the REST API."
  value       = { name = aws_api_gateway_rest_api.this.name, stage = aws_api_gateway_stage.this.stage_name }
}

output "url" {
  description = "Where reports are asked for; also the audience of the tokens that count."
  value       = "${var.base_url == null ? aws_api_gateway_stage.this.invoke_url : replace(var.base_url, "{api_id}", aws_api_gateway_rest_api.this.id)}/reports"
}
