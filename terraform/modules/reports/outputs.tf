output "stage_arn" {
  description = "ARN of the API's stage, for permissions to be called by it."
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

output "url" {
  description = "Address for reports; also the audience of valid tokens."
  value       = "${local.base_url}/reports"
}

output "webhook_url" {
  description = "Address for Port's runs and changes, with `run_source.mode` `webhook`."
  value       = "${local.base_url}/port/webhook"
}
