# Two channels for decisions: REST for callers that sign with IAM, and links in e-mails for people.
locals {
  stage = "live"

  # API Gateway stores the short form of a resource as the API's ARN, so the sent form must equal
  # the read form.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
  resource_policy = var.api.resource_policy == null ? null : replace(
    var.api.resource_policy, "\"execute-api:/", "\"${aws_api_gateway_rest_api.this.execution_arn}/"
  )

  methods = {
    decide       = { resource_id = aws_api_gateway_resource.decision.id, method = "POST", authorization = "AWS_IAM" }
    show_link    = { resource_id = aws_api_gateway_resource.link.id, method = "GET", authorization = "NONE" }
    decide_by_it = { resource_id = aws_api_gateway_resource.link.id, method = "POST", authorization = "NONE" }
  }
}

resource "aws_api_gateway_rest_api" "this" {
  # checkov:skip=CKV_AWS_237: another API has another id and so another address: nothing is gained by making it first
  name        = "${var.name_prefix}-approvals"
  description = "Decides on approval requests"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_rest_api_policy" "this" {
  count = var.api.resource_policy == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this.id
  policy      = local.resource_policy
}

resource "aws_api_gateway_resource" "approvals" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "approvals"
}

resource "aws_api_gateway_resource" "approval" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.approvals.id
  path_part   = "{id}"
}

resource "aws_api_gateway_resource" "decision" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.approval.id
  path_part   = "decision"
}

resource "aws_api_gateway_resource" "links" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "links"
}

resource "aws_api_gateway_resource" "link" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.links.id
  path_part   = "{token}"
}

resource "aws_api_gateway_method" "this" {
  # checkov:skip=CKV_AWS_59: people open links without AWS credentials; the function checks the signature
  # checkov:skip=CKV2_AWS_53: the function validates requests, and answers with a sentence
  for_each = local.methods

  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = each.value.resource_id
  http_method   = each.value.method
  authorization = each.value.authorization
}

resource "aws_api_gateway_integration" "this" {
  for_each = local.methods

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = each.value.resource_id
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = "arn:${var.account.partition}:apigateway:${var.account.region}:lambda:path/2015-03-31/functions/${var.function_alias_arn}/invocations"
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  # A deployment is a copy: every change above needs a new one.
  triggers = {
    api = sha1(jsonencode([local.methods, [for integration in aws_api_gateway_integration.this : [integration.type, integration.uri]], var.api.resource_policy]))
  }

  depends_on = [aws_api_gateway_integration.this, aws_api_gateway_rest_api_policy.this]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  # checkov:skip=CKV_AWS_73: segments would contain the addresses of links, see below
  # checkov:skip=CKV_AWS_120: responses must not be cached, because they change at any time
  # checkov:skip=CKV2_AWS_4: the execution log would contain the addresses of links
  # checkov:skip=CKV2_AWS_29: features.waf puts one in front
  # checkov:skip=CKV2_AWS_77: as CKV_AWS_192 of the web ACL
  # checkov:skip=CKV2_AWS_51: the backend is a function, called by IAM, not an address with TLS of its own
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = local.stage

  # Off, because segments contain the whole address, and the address of a link is enough to decide.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-understanding-xray-traces.html
  # The function is traced nevertheless.
  xray_tracing_enabled = false

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    # The resource's path, never the request's: the path of a link contains its token.
    format = jsonencode({
      requestId          = "$context.requestId"
      requestTime        = "$context.requestTime"
      httpMethod         = "$context.httpMethod"
      resourcePath       = "$context.resourcePath"
      status             = "$context.status"
      responseLatency    = "$context.responseLatency"
      sourceIp           = "$context.identity.sourceIp"
      userArn            = "$context.identity.userArn"
      errorType          = "$context.error.responseType" # its message may quote the request
      integrationStatus  = "$context.integration.status"
      integrationLatency = "$context.integration.latency"
    })
  }

  # API Gateway accepts a log only after it has a role to write it.
  depends_on = [aws_cloudformation_stack.api_log]
}

resource "aws_api_gateway_method_settings" "this" {
  # checkov:skip=CKV_AWS_225: responses must not be cached, because they change at any time
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.api.throttle_rate
    throttling_burst_limit = var.api.throttle_burst
    metrics_enabled        = true
    # The execution log would contain addresses and bodies.
    logging_level      = "OFF"
    data_trace_enabled = false
  }
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "${var.logs.prefix}/apigateway/${aws_api_gateway_rest_api.this.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}

# API Gateway has one log role per account and region, for all its APIs. CloudFormation can keep the
# role when this stack is destroyed, but Terraform cannot: other APIs would lose their logs. CDK
# does the same.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
resource "aws_cloudformation_stack" "api_log" {
  # checkov:skip=CKV_AWS_124: Terraform waits for the stack and reports its events
  count = var.api.manage_account ? 1 : 0

  name          = "${var.name_prefix}-api-gateway-log"
  capabilities  = ["CAPABILITY_IAM"]
  template_body = file("${path.module}/api_log.cfn.json")
  parameters = merge(
    var.roles.permissions_boundary_arn == null ? {} : { PermissionsBoundary = var.roles.permissions_boundary_arn },
    var.roles.path == "/" ? {} : { Path = var.roles.path },
  )
}

# Earlier releases managed the role here: Terraform forgets it without destroying it.
removed {
  from = aws_api_gateway_account.this

  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_iam_role.api_log

  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_iam_role_policy.api_log

  lifecycle {
    destroy = false
  }
}
