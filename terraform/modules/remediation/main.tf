data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name = "${var.name_prefix}-remediation"

  # What passes by itself; then anything else, a few times, before sweep_runs lets the service go.
  retry = [
    {
      # Long enough to outlast GitHub's hourly rate limit: 88 minutes on average, as jitter halves each pause.
      ErrorEquals     = ["PortUnavailable", "GitHubUnavailable", "RetryableError"]
      IntervalSeconds = 5
      BackoffRate     = 2
      MaxDelaySeconds = 300
      MaxAttempts     = 40
      JitterStrategy  = "FULL"
    },
    {
      # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
      ErrorEquals     = ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"]
      IntervalSeconds = 2
      BackoffRate     = 2
      MaxDelaySeconds = 120
      MaxAttempts     = 8
      JitterStrategy  = "FULL"
    },
    {
      # The process was killed, or ran out of time or memory: each step can be repeated. Which of the names it is
      # depends on the runtime: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
      ErrorEquals     = ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"]
      IntervalSeconds = 2
      BackoffRate     = 2
      MaxDelaySeconds = 60
      MaxAttempts     = 5
      JitterStrategy  = "FULL"
    },
    {
      # Whatever else it is, as an outage of AWS's own: a few times, as an event source would.
      ErrorEquals     = ["States.TaskFailed"]
      IntervalSeconds = 2
      BackoffRate     = 2
      MaxAttempts     = 2
    },
  ]
}

resource "aws_sfn_state_machine" "this" {
  # checkov:skip=CKV_AWS_285: states are logged without their data, see below
  name     = local.name
  role_arn = aws_iam_role.this.arn

  definition = templatefile("${path.module}/definition.asl.json", {
    partition      = data.aws_partition.current.partition
    function       = var.function_alias_arn
    probe_function = var.probe_function_alias_arn
    approvals      = var.approval_alias_arn
    retry          = jsonencode(local.retry)
    # Lambda stops the function first and says so; this is for a call that is never answered.
    invoke_timeout = var.function_timeout_seconds + 30
  })

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
    include_execution_data = false # task tokens, with which anybody could decide
    level                  = "ALL"
  }

  tracing_configuration {
    enabled = true
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  # The prefix keeps CloudWatch's resource policy for deliveries from growing with each group.
  # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}
