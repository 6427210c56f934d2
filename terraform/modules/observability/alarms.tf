# Every alarm of the stack. Each names the problem and links to its section of the run-book;
# `runbook` is the heading there.
locals {
  function_alarms = merge([
    for name, function in var.functions : {
      for metric, alarm in {
        Errors    = { description = "ended with an error; its caller retries" }
        Throttles = { description = "was throttled: raise its concurrency, or the account's" }
        Duration = {
          description = "ran for 90 % of its time-out of ${function.timeout_seconds} s"
          statistic   = "Maximum"
          # Late enough to be a fault, early enough to alert before invocations time out.
          threshold = function.timeout_seconds * 1000 * 0.9
        }
        } : "${function.function_name}-${lower(metric)}" => merge(alarm, {
          description = "${function.function_name} ${alarm.description}"
          runbook     = "an-alarm-on-a-function"
          namespace   = "AWS/Lambda"
          metric      = metric
          dimensions  = { FunctionName = function.function_name }
      })
    }
  ]...)

  consumer_alarms = merge([
    for name, function in var.functions : {
      "${function.function_name}-lag" = {
        description = "${function.function_name} has lagged behind its topic for 15 minutes"
        runbook     = "records-are-waiting"
        namespace   = "AWS/Lambda"
        metric      = "OffsetLag"
        dimensions  = { FunctionName = function.function_name }
        # The minimum within five minutes: the lag of a busy topic is rarely zero for long.
        statistic = "Minimum"
        periods   = 3
      }
    } if function.consumer
  ]...)

  queue_alarms = merge([
    for name, queue in var.queues : {
      "${queue.messages}-age" = {
        description = "A message has waited in ${queue.messages} for a quarter of an hour"
        runbook     = "records-are-waiting"
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = queue.messages }
        statistic   = "Maximum"
        threshold   = 900
      }
      "${queue.dead_letters}-depth" = {
        description = "A message of ${queue.messages} was given up; the sweep makes it a failed record"
        runbook     = "records-failed"
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = queue.dead_letters }
        statistic   = "Maximum"
      }
    }
  ]...)

  machine_alarms = merge([
    for name, machine in var.state_machines : {
      for metric, description in machine.alarms : "${machine.name}-${metric}" => {
        description = "${machine.name}: ${description}"
        runbook     = machine.runbook
        namespace   = "AWS/States"
        metric      = metric
        dimensions  = { StateMachineArn = machine.arn }
      }
    }
  ]...)

  other_alarms = {
    "${var.failed_records_queue}-depth" = {
      description = "Failed records wait for an operator: check them, then replay or discard them"
      runbook     = "records-failed"
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.failed_records_queue }
      statistic   = "Maximum"
    }
    "${var.failed_records_queue}-age" = {
      description = "A failed record has waited for two days; Slipway ends its run after three"
      runbook     = "records-failed"
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = var.failed_records_queue }
      statistic   = "Maximum"
      threshold   = 48 * 3600
    }
    "${var.api.name}-5XXError" = {
      description = "${var.api.name}: a decision by REST or by link could not be recorded"
      runbook     = "decisions-fail"
      namespace   = "AWS/ApiGateway"
      metric      = "5XXError"
      dimensions  = { ApiName = var.api.name, Stage = var.api.stage }
    }
    "${var.reports_api.name}-5XXError" = {
      description = "${var.reports_api.name}: the end of a pull request could not be reported; the sweep reports it later"
      runbook     = "reports-fail"
      namespace   = "AWS/ApiGateway"
      metric      = "5XXError"
      dimensions  = { ApiName = var.reports_api.name, Stage = var.reports_api.stage }
    }
  }

  # Sums over all dimensions, unless `where` names one.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-alarm-create.html
  query_alarms = {
    "${var.name_prefix}-crashed" = {
      description = "A run failed because of an internal error; it is retried, then on hold"
      runbook     = "a-run-is-on-hold"
      metric      = "SUM(RunCrashed)"
    }
    "${var.name_prefix}-signatures" = {
      description = "A message on the topic was not signed by Port: another producer writes there, or the client secret changed"
      runbook     = "signatures-are-rejected"
      metric      = "SUM(SignatureRejected)"
    }
    "${var.name_prefix}-rung" = {
      description = "A run did not reach its function, which the sweep then invoked itself"
      runbook     = "runs-are-never-received"
      metric      = "SUM(RunSwept)"
      where       = " WHERE sweep_action = 'RING'"
    }
    "${var.name_prefix}-age" = {
      description = "A function received a record more than ${var.record_age_seconds} s after it was written"
      runbook     = "records-are-waiting"
      metric      = "MAX(RecordAge)"
      threshold   = var.record_age_seconds
    }
    "${var.name_prefix}-mappings" = {
      description = "An event source mapping reports a problem: it cannot read its topic, or its function fails"
      runbook     = "a-mapping-reports-a-problem"
      metric      = "SUM(MappingProblem)"
    }
    "${var.name_prefix}-never-received" = {
      description = "Slipway ended a run because its function did not receive it"
      runbook     = "runs-are-never-received"
      metric      = "SUM(RunSwept)"
      where       = " WHERE sweep_action = 'END_NEVER_RECEIVED'"
    }
  }

  # A refused request of a caller other than Port is not a fault.
  webhook_alarms = {
    for name in ["${var.name_prefix}-webhook-refused"] : name => {
      description = "A signed request from Port could not be queued, or names an action that is not in this installation"
      runbook     = "webhook-requests-are-refused"
      metric      = "SUM(WebhookRefused)"
      where       = " WHERE reason != 'Unauthorized'"
    } if length(var.queues) > 0
  }

  # https://docs.aws.amazon.com/msk/latest/developerguide/mkc-monitoring-overview.html
  mirror_alarms = {
    for name in var.mirror[*] : "${name}-ErroredTaskCount" => {
      description = "${name}: Port's topics are not copied to MSK"
      runbook     = "records-are-waiting"
      namespace   = "AWS/KafkaConnect"
      metric      = "ErroredTaskCount"
      dimensions  = { ConnectorName = name }
      statistic   = "Maximum"
    }
  }

  alarms = merge(local.function_alarms, local.consumer_alarms, local.queue_alarms, local.machine_alarms, local.other_alarms, local.mirror_alarms)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.key
  alarm_description   = "${each.value.description}. ${var.runbook_url}#${each.value.runbook}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = try(each.value.statistic, "Sum")
  period              = 300
  evaluation_periods  = try(each.value.periods, 1)
  threshold           = try(each.value.threshold, 1)
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# A function on a schedule is silent only if the schedule is.
resource "aws_cloudwatch_metric_alarm" "silent" {
  for_each = { for name, function in var.functions : "${function.function_name}-silent" => function if function.rate_seconds != null }

  alarm_name          = each.key
  alarm_description   = "${each.value.function_name} was not called for three times its rate, so abandoned runs are not cleaned up. ${var.runbook_url}#the-sweep-fails"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = each.value.function_name }
  statistic           = "Sum"
  period              = each.value.rate_seconds
  evaluation_periods  = 3
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "query" {
  for_each = merge(local.query_alarms, local.webhook_alarms)

  alarm_name          = each.key
  alarm_description   = "${each.value.description}. ${var.runbook_url}#${each.value.runbook}"
  evaluation_periods  = 1
  threshold           = try(each.value.threshold, 1)
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  metric_query {
    id          = "query"
    label       = each.value.metric
    expression  = "SELECT ${each.value.metric} FROM \"${var.metrics_namespace}\"${try(each.value.where, "")}"
    period      = 300
    return_data = true
  }
}
