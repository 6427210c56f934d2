data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_sfn_state_machine" "this" {
  name     = var.name
  role_arn = aws_iam_role.this.arn

  definition = templatefile("${path.module}/definition.asl.json", {
    partition      = data.aws_partition.current.partition
    runs_table     = var.runs_table.name
    records_bucket = var.records_bucket.name
    # Lambda stops the function first and says so; this is for a call that is never answered.
    invoke_timeout = var.function_timeout_seconds + 30
  })

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
    include_execution_data = true # run ids and times; the record itself stays in S3
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
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.records_bucket.key_arn
}
