# Executions that fail, time out or are aborted.
resource "aws_cloudwatch_event_rule" "stopped" {
  count = var.on_stop == null ? 0 : 1

  name        = "${var.name}-stopped"
  description = "Executions of ${var.name} that failed, were aborted or timed out"

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [aws_sfn_state_machine.this.arn]
      status          = ["ABORTED", "FAILED", "TIMED_OUT"]
    }
  })
}

resource "aws_cloudwatch_event_target" "sweep_runs" {
  count = var.on_stop == null ? 0 : 1

  rule      = aws_cloudwatch_event_rule.stopped[0].name
  target_id = "sweep_runs"
  arn       = var.on_stop.sweep_alias_arn

  # EventBridge drops an event after a day. It needs no dead-letter queue: an alarm names the
  # execution, Step Functions lists it, and the sweep and scripts/resume find its run or service.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}
