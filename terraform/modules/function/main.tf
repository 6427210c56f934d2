resource "aws_cloudwatch_log_group" "this" {
  name              = "${var.logs.prefix}/lambda/${var.function_name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}

locals {
  environment = merge(var.environment, {
    POWERTOOLS_SERVICE_NAME      = var.name
    POWERTOOLS_LOG_LEVEL         = var.settings.log_level
    POWERTOOLS_METRICS_NAMESPACE = var.metrics_namespace
  })

  # Lambda measures the variables as JSON, in bytes of UTF-8; base64 has four characters for three of them.
  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
  environment_bytes = length(base64encode(jsonencode(local.environment))) / 4 * 3 - length(regexall("=", base64encode(jsonencode(local.environment))))
  # Sorted by size, padded so that the text order equals the numeric order.
  largest_variable = split(" ", reverse(sort([for name, value in local.environment : format("%08d %s", length(base64encode(value)), name)]))[0])[1]
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116: Kafka's failures go to the event source's destination; EventBridge repeats its calls, and an alarm reports failures
  # checkov:skip=CKV_AWS_117: in a VPC only if `vpc` is set: Port and GitHub are on the Internet
  # checkov:skip=CKV_AWS_173: the environment has no secrets, and Lambda encrypts it with its own key
  # checkov:skip=CKV_AWS_272: the archives come from this repository's build in the same apply; a pipeline may sign them
  function_name = var.function_name
  description   = var.description
  role          = aws_iam_role.this.arn

  s3_bucket     = var.artifact.bucket
  s3_key        = var.artifact.key
  handler       = "functions.${var.folder}.handler.handler"
  runtime       = "python3.13"
  architectures = [var.settings.architecture]
  layers        = [var.layer_arn]
  publish       = true

  memory_size                    = var.settings.memory_mb
  timeout                        = var.settings.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  environment {
    variables = local.environment
  }

  # Text, because Powertools writes JSON lines itself. With the format JSON, Lambda would filter
  # them by level again and set the root logger, and so every library, to that level.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tracing_config {
    mode = "Active"
  }

  lifecycle {
    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment of ${var.function_name} has ${local.environment_bytes} bytes, but Lambda allows 4096. The largest variable is ${local.largest_variable}: shorten its value in the stack."
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "Alias that event sources and state machines call"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_permission" "callers" {
  for_each = var.callers

  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = each.value.principal
  source_arn    = each.value.source_arn
}
