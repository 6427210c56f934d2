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
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  for_each = {
    ExecutionsFailed   = "${var.name}: a run could not be delivered; its record is held"
    ExecutionsTimedOut = "${var.name}: an execution went on for longer than a week"
  }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value
  namespace           = "AWS/States"
  metric_name         = each.key
  dimensions          = { StateMachineArn = aws_sfn_state_machine.this.arn }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
