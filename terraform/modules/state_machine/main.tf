resource "aws_sfn_state_machine" "this" {
  # checkov:skip=CKV_AWS_285: include_execution_data follows var.logs_data, as data of some machines hold task tokens
  name     = var.name
  role_arn = aws_iam_role.this.arn

  definition = templatefile(var.template, merge(var.values, {
    partition       = var.account.partition
    retry           = jsonencode(local.retry)
    retry_of_lambda = jsonencode(local.retry_of_lambda)
    # Lambda stops the function first and reports it; this limit is for a call that gets no answer.
    invoke_timeout = var.function_timeout_seconds + 30
  }))

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
    include_execution_data = var.logs_data
    level                  = "ALL"
  }

  tracing_configuration {
    enabled = true
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  # With this prefix, CloudWatch's resource policy for deliveries does not grow with each group.
  # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
  name              = "${var.logs.prefix}/vendedlogs/states/${var.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}
