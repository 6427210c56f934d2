# `POST /reports` and `POST /port/webhook` have their own API, because the resource policy and the
# throttle of the approvals' API would shut out GitHub's runners and Port.
locals {
  stage    = "live"
  base_url = var.base_url == null ? aws_api_gateway_stage.this.invoke_url : replace(var.base_url, "{api_id}", aws_api_gateway_rest_api.this.id)
}

resource "aws_api_gateway_rest_api" "this" {
  # checkov:skip=CKV_AWS_237: another API has another id and so another address: nothing is gained by making it first
  name        = "${var.name_prefix}-reports"
  description = "Accepts reports of pull requests from GitHub workflows"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "reports" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "reports"
}

resource "aws_api_gateway_method" "report" {
  # checkov:skip=CKV_AWS_59: a workflow has no AWS credentials; the function verifies GitHub's token
  # checkov:skip=CKV2_AWS_53: the function validates requests, and answers with a sentence
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.reports.id
  http_method   = "POST"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "report" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.reports.id
  http_method             = aws_api_gateway_method.report.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.invocation_uri
}

resource "aws_api_gateway_resource" "port" {
  count = var.webhook == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "port"
}

resource "aws_api_gateway_resource" "webhook" {
  count = var.webhook == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.port[0].id
  path_part   = "webhook"
}

resource "aws_api_gateway_method" "webhook" {
  # checkov:skip=CKV_AWS_59: Port has no AWS credentials; the function verifies its signature
  # checkov:skip=CKV2_AWS_53: the function validates what it is sent
  count = var.webhook == null ? 0 : 1

  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.webhook[0].id
  http_method   = "POST"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "webhook" {
  count = var.webhook == null ? 0 : 1

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.webhook[0].id
  http_method             = aws_api_gateway_method.webhook[0].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.webhook.invocation_uri
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  # A deployment is a copy: every change above needs a new one.
  triggers = {
    api = sha1(jsonencode(concat(
      [aws_api_gateway_method.report.authorization, aws_api_gateway_integration.report.type, aws_api_gateway_integration.report.uri],
      [for integration in aws_api_gateway_integration.webhook : [integration.type, integration.uri]],
    )))
  }

  depends_on = [aws_api_gateway_integration.report, aws_api_gateway_integration.webhook]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  # checkov:skip=CKV_AWS_73: the function is traced; segments here would add the callers' addresses only
  # checkov:skip=CKV_AWS_120: responses must not be cached, because they change at any time
  # checkov:skip=CKV2_AWS_4: the execution log would contain tokens
  # checkov:skip=CKV2_AWS_29: GitHub's runners have no fixed addresses, and the function checks the token
  # checkov:skip=CKV2_AWS_77: as CKV2_AWS_29
  # checkov:skip=CKV2_AWS_51: the backend is a function, called by IAM, not an address with TLS of its own
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = local.stage
  xray_tracing_enabled = false

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    # No header and no body, because one has the token.
    format = jsonencode({
      requestId          = "$context.requestId"
      requestTime        = "$context.requestTime"
      httpMethod         = "$context.httpMethod"
      resourcePath       = "$context.resourcePath"
      status             = "$context.status"
      responseLatency    = "$context.responseLatency"
      sourceIp           = "$context.identity.sourceIp"
      errorType          = "$context.error.responseType" # its message may quote the request
      integrationStatus  = "$context.integration.status"
      integrationLatency = "$context.integration.latency"
    })
  }
}

resource "aws_api_gateway_method_settings" "this" {
  # checkov:skip=CKV_AWS_225: responses must not be cached, because they change at any time
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.throttle_rate
    throttling_burst_limit = var.throttle_burst
    metrics_enabled        = true
    # The execution log would contain tokens and bodies.
    logging_level      = "OFF"
    data_trace_enabled = false
  }
}

# A method with settings of its own has a throttle of its own: neither caller uses up the other's.
resource "aws_api_gateway_method_settings" "webhook" {
  # checkov:skip=CKV_AWS_225: responses must not be cached, because they change at any time
  count = var.webhook == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "port/webhook/POST"

  settings {
    throttling_rate_limit  = var.webhook.throttle_rate
    throttling_burst_limit = var.webhook.throttle_burst
    metrics_enabled        = true
    # The execution log would hold signatures and bodies.
    logging_level      = "OFF"
    data_trace_enabled = false
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "${var.logs.prefix}/apigateway/${aws_api_gateway_rest_api.this.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}
