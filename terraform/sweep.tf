# The sweep's schedule, and what is swept.
locals {
  # Whatever Port publishes a run of for us: the actions, and the automations that tell of their ends.
  own_actions = sort(setunion(
    setsubtract(flatten([for function in values(local.consumers) : function.filters[*].action if function.topic == "runs"]), ["run_ended"]),
    [for action, _ in local.actions : "${action}_ended"],
  ))

  # In seconds, as slipway.runs.abandoned.Limits names them.
  sweep_limits = {
    never_received = var.sweep.never_received_seconds
    report         = var.sweep.report_seconds
    pull_request   = var.sweep.pull_request_seconds
    reminder       = var.sweep.reminder_seconds
    held           = var.sweep.held_seconds
  }
}

resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name_prefix}-sweep_runs"
  description         = "Sweeps the runs that nobody works on any more"
  schedule_expression = "rate(${var.sweep.rate_minutes} minute${var.sweep.rate_minutes == 1 ? "" : "s"})"
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule      = aws_cloudwatch_event_rule.sweep.name
  target_id = "sweep_runs"
  arn       = local.function_alias_arns["sweep_runs"]

  # The next sweep does the same.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 0
  }
}
