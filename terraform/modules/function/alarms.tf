locals {
  alarms = {
    errors = {
      description = "${var.function_name} failed: its records are being repeated, or were moved to the failed records"
      metric      = "Errors"
      statistic   = "Sum"
      threshold   = 1
    }
    throttles = {
      description = "${var.function_name} was refused a place to run: raise its concurrency, or the account's"
      metric      = "Throttles"
      statistic   = "Sum"
      threshold   = 1
    }
    duration = {
      description = "${var.function_name} ran for 90 % of its time-out of ${var.settings.timeout_seconds} s"
      metric      = "Duration"
      statistic   = "Maximum"
      threshold   = local.near_timeout_ms
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
