locals {
  # Title → content. `slipway`: metrics of the functions, by search; `metrics`: metrics of AWS.
  graphs = [
    {
      title   = "Runs by action and outcome"
      slipway = ["RunProposed", "RunSucceeded", "RunFailed", "RunDeliveredLater", "RunReported", "RunEndedByUser", "RunCrashed"]
      width   = 16
    },
    {
      title   = "Age of the oldest record, seconds"
      slipway = ["RecordAge"]
      stat    = "Maximum"
    },
    {
      title   = "Approvals"
      slipway = ["ApprovalRequested", "ApprovalDecided", "DecisionRefused"]
    },
    {
      title   = "Services checked, and repairs"
      slipway = ["RemediationEnded", "RepairEnded"]
    },
    {
      title   = "Until verified, and until repaired, seconds"
      slipway = ["TimeToVerify", "TimeToRepair"]
      stat    = "Maximum"
    },
    {
      title   = "Changes of entities: started and skipped"
      slipway = ["SubscriptionStarted", "ChangeSkipped"]
    },
    {
      title   = "Duration of approvals and repairs, ms"
      metrics = [for machine in var.state_machines : ["AWS/States", "ExecutionTime", "StateMachineArn", machine.arn, { label = machine.name, stat = "Maximum" }]]
    },
    {
      title = "Executions that failed"
      metrics = concat([
        for machine in var.state_machines : [
          for metric in ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] :
          ["AWS/States", metric, "StateMachineArn", machine.arn, { label = "${machine.name} ${metric}" }]
        ]
      ]...)
    },
    {
      title = "Failed records that wait"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.failed_records_queue, { label = "records", stat = "Maximum" }],
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.failed_records_queue, { label = "oldest, seconds", stat = "Maximum", yAxis = "right" }],
      ]
    },
    {
      title = "Records not read yet"
      metrics = concat(
        [for function in local.consumers : ["AWS/Lambda", "OffsetLag", "FunctionName", function, { label = function, stat = "Maximum" }]],
        [for queue in var.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.messages, { label = queue.messages, stat = "Maximum" }]],
        [for queue in var.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.dead_letters, { label = queue.dead_letters, stat = "Maximum" }]],
      )
    },
    {
      title   = "Skipped messages and reports"
      slipway = ["MessageSkipped", "MessageDiffers", "SignatureRejected", "WebhookRefused", "ReportRefused", "MappingProblem"]
    },
    {
      title   = "Abandoned runs that the sweep found"
      slipway = ["RunSwept", "RunCleanedUp", "LockReleased"]
    },
    {
      title   = "Retried calls of Port and GitHub"
      slipway = ["ApiRetry"]
    },
    {
      title = "Errors and throttles of functions"
      metrics = concat([
        for function in var.functions : [
          for metric in ["Errors", "Throttles"] :
          ["AWS/Lambda", metric, "FunctionName", function.function_name, { label = "${function.function_name} ${metric}" }]
        ]
      ]...)
    },
    {
      title   = "Duration of functions, milliseconds"
      metrics = [for function in var.functions : ["AWS/Lambda", "Duration", "FunctionName", function.function_name, { label = function.function_name, stat = "p95" }]]
    },
    {
      title   = "Cold starts, and records received"
      slipway = ["ColdStart", "RecordReceived"]
    },
    {
      title = "API of approvals"
      metrics = [
        for metric, stat in { Count = "Sum", "4XXError" = "Sum", "5XXError" = "Sum", Latency = "p95" } :
        ["AWS/ApiGateway", metric, "ApiName", var.api.name, "Stage", var.api.stage, { label = metric, stat = stat, yAxis = metric == "Latency" ? "right" : "left" }]
      ]
    },
  ]

  consumers = [for function in var.functions : function.function_name if function.consumer]

  alarm_arns = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.query : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.silent : alarm.arn],
  ))

  # Three to a row of 24 columns; CloudWatch moves widgets up.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  widgets = concat(
    [
      {
        type       = "text"
        width      = 24
        height     = 2
        properties = { markdown = "# ${var.name_prefix}\nWhat to do about an alarm: ${var.runbook_url}" }
      },
      {
        type       = "alarm"
        width      = 24
        height     = 4
        properties = { title = "Alarms", alarms = local.alarm_arns }
      },
    ],
    [
      for graph in local.graphs : {
        type   = "metric"
        width  = try(graph.width, 8)
        height = 6
        properties = {
          title  = graph.title
          region = var.account.region
          view   = "timeSeries"
          period = 300
          stat   = try(graph.stat, "Sum")
          metrics = concat(
            try(graph.metrics, []),
            [for index, name in try(graph.slipway, []) : [{
              id         = "e${index}"
              label      = "$${PROP('MetricName')} $${LABEL}"
              expression = "SEARCH('${local.searches[name]}', '${try(graph.stat, "Sum")}', 300)"
            }]],
          )
        }
      }
    ],
    [
      {
        type   = "log"
        width  = 24
        height = 6
        properties = {
          title  = "Errors in the logs"
          region = var.account.region
          view   = "table"
          query = join("\n| ", concat(
            [join(" | ", [for function in var.functions : "SOURCE '${function.log_group_name}'"])],
            ["filter level = 'ERROR'", "fields @timestamp, service, run_id, message", "sort @timestamp desc", "limit 50"],
          ))
        }
      },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.dashboard_name
  dashboard_body = jsonencode({ widgets = local.widgets })
}
