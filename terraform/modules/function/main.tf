locals {
  # Late enough to be a fault, early enough to be told before invocations are cut off.
  near_timeout_ms = var.settings.timeout_seconds * 1000 * 0.9
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.function_name}"
  retention_in_days = var.settings.log_retention_days
}

resource "aws_lambda_function" "this" {
  function_name = var.function_name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename = var.artifact.path
  # Of what the archive holds, not of its bytes: see scripts/build.py.
  source_code_hash = var.artifact.content_sha256
  handler          = "functions.${var.name}.handler.handler"
  runtime          = "python3.13"
  architectures    = [var.settings.architecture]
  layers           = [var.layer_arn]
  publish          = true

  memory_size                    = var.settings.memory_mb
  timeout                        = var.settings.timeout_seconds
  reserved_concurrent_executions = coalesce(var.settings.reserved_concurrency, -1)

  environment {
    variables = merge(var.environment, {
      POWERTOOLS_SERVICE_NAME      = var.name
      POWERTOOLS_LOG_LEVEL         = var.settings.log_level
      POWERTOOLS_METRICS_NAMESPACE = "Slipway"
    })
  }

  # Text, because Powertools writes JSON lines itself: with the format JSON, Lambda would filter them
  # by level a second time and set the root logger, and so every library, to that level.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What event sources and state machines call"
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
