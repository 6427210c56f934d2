# Executions that did not end by themselves: sweep_runs lets their services go.
resource "aws_cloudwatch_event_rule" "stopped" {
  name        = "${local.name}-stopped"
  description = "Executions of ${local.name} that failed, were aborted or timed out"

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
  rule      = aws_cloudwatch_event_rule.stopped.name
  target_id = "sweep_runs"
  arn       = var.sweep_alias_arn

  # An event that is given up after a day is not all there is of its execution: an alarm has named it by then,
  # and sweep_runs finds services whose execution is over by itself. So there is no queue for it.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}
