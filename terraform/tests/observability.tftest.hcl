mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account           = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name_prefix       = "slipway"
  dashboard_name    = "slipway-eu-west-1"
  metrics_namespace = "Slipway/slipway"
  functions = {
    example    = { function_name = "slipway-example", log_group_name = "/aws/lambda/slipway-example", timeout_seconds = 120, consumer = true }
    sweep_runs = { function_name = "slipway-sweep_runs", log_group_name = "/aws/lambda/slipway-sweep_runs", timeout_seconds = 120, consumer = false, rate_seconds = 300 }
  }
  queues = { queued = { messages = "slipway-queued", dead_letters = "slipway-queued-failed" } }
  state_machines = {
    approval = {
      name    = "slipway-approval"
      arn     = "arn:aws:states:eu-west-1:111122223333:stateMachine:slipway-approval"
      runbook = "a-run-is-on-hold"
      alarms  = { ExecutionsFailed = "a run is held" }
    }
  }
  failed_records_queue = "slipway-failed-records"
  api                  = { name = "slipway-approvals", stage = "live" }
  reports_api          = { name = "slipway-reports", stage = "live" }
  mirror               = "slipway-mirror"
  alarm_actions        = ["arn:aws:sns:eu-west-1:111122223333:alarms"]
  alarm_emails         = ["one@acme.example", "two@acme.example"]
  key_arn              = "arn:aws:kms:eu-west-1:111122223333:key/k"
  runbook_url          = "https://acme.example/runbook.md"
  record_age_seconds   = 600
  xray_group           = true
}

run "every_fault_has_an_alarm" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = toset(output.alarms) == toset([
      "slipway-example-errors", "slipway-example-throttles", "slipway-example-duration",
      "slipway-example-lag",
      "slipway-sweep_runs-errors", "slipway-sweep_runs-throttles", "slipway-sweep_runs-duration", "slipway-sweep_runs-silent",
      "slipway-approval-ExecutionsFailed", "slipway-approvals-5XXError", "slipway-reports-5XXError", "slipway-mirror-ErroredTaskCount",
      "slipway-failed-records-depth", "slipway-failed-records-age", "slipway-crashed", "slipway-signatures", "slipway-age",
      "slipway-mappings", "slipway-never-received", "slipway-rung", "slipway-webhook-refused",
      "slipway-queued-age", "slipway-queued-failed-depth",
    ])
    error_message = "Each component and each fault has an alarm."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["slipway-example-duration"].threshold == 108000 &&
      aws_cloudwatch_metric_alarm.query["slipway-age"].threshold == 600 &&
      aws_cloudwatch_metric_alarm.this["slipway-failed-records-age"].threshold == 172800
    )
    error_message = "Thresholds are 90 % of the time-out, the configured age, and two days."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.query)) :
      alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:alarms", module.topic[0].arn]) && alarm.ok_actions == alarm.alarm_actions && alarm.treat_missing_data == "notBreaching"
    ])
    error_message = "Each alarm notifies its targets when it begins and ends, and missing data is not a fault."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.query :
      contains(keys(local.metrics), regex("^SELECT (?:SUM|MAX)\\((\\w+)\\) FROM \"Slipway/slipway\"(?: WHERE (?:sweep_action = '(?:END_NEVER_RECEIVED|RING)'|reason != 'Unauthorized'))?$", one(alarm.metric_query).expression)[0])
    ])
    error_message = "Queries use existing metrics."
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.query["slipway-never-received"].metric_query).expression == "SELECT SUM(RunSwept) FROM \"Slipway/slipway\" WHERE sweep_action = 'END_NEVER_RECEIVED'"
    error_message = "The query selects one action of the sweep."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.query)) :
      can(regex("\\. https://acme\\.example/runbook\\.md#[a-z-]+$", alarm.alarm_description))
    ])
    error_message = "Each alarm links to the runbook."
  }

  assert {
    condition = (
      keys(aws_cloudwatch_metric_alarm.silent) == ["slipway-sweep_runs-silent"] &&
      aws_cloudwatch_metric_alarm.silent["slipway-sweep_runs-silent"].period * aws_cloudwatch_metric_alarm.silent["slipway-sweep_runs-silent"].evaluation_periods == 900 &&
      aws_cloudwatch_metric_alarm.silent["slipway-sweep_runs-silent"].comparison_operator == "LessThanThreshold" &&
      aws_cloudwatch_metric_alarm.silent["slipway-sweep_runs-silent"].treat_missing_data == "breaching" &&
      aws_cloudwatch_metric_alarm.silent["slipway-sweep_runs-silent"].alarm_actions == aws_cloudwatch_metric_alarm.query["slipway-age"].alarm_actions
    )
    error_message = "An alarm begins when a scheduled function was not called three times in a row."
  }

  assert {
    condition     = toset(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : try([for metric in widget.properties.metrics : regexall("MetricName=\"(\\w+)\"", metric[0].expression)], [])])) == toset(keys(local.metrics))
    error_message = "The dashboard shows every metric of the functions."
  }

  assert {
    condition = alltrue([
      for search in flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : try([for metric in widget.properties.metrics : regexall("SEARCH\\('(.*?),", metric[0].expression)], [])]) :
      search == "{\"Slipway/slipway\""
    ])
    error_message = "The dashboard shows the metrics of this installation only."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.type != "metric" || try(length(widget.properties.metrics), 0) > 0])
    error_message = "Each graph has metrics."
  }

  assert {
    condition     = aws_xray_group.this[0].filter_expression == "service(\"slipway-example\") OR service(\"slipway-sweep_runs\")"
    error_message = "The group has the traces of these functions."
  }
}

run "alarms_begin_with_the_prefix" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = alltrue([for name in output.alarms : startswith(name, "slipway-")])
    error_message = "Alarm names begin with the prefix that topic and key allow."
  }

  assert {
    condition     = toset(keys(module.topic[0].subscriptions)) == toset(["one@acme.example", "two@acme.example"])
    error_message = "Each address has a subscription to the alarms topic."
  }
}

run "mirror_and_x_ray_are_optional" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    mirror       = null
    xray_group   = false
    alarm_emails = []
  }

  assert {
    condition     = length(module.topic) == 0 && aws_cloudwatch_metric_alarm.this["slipway-example-errors"].alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:alarms"])
    error_message = "Without addresses, the module does not create a topic."
  }

  assert {
    condition     = length(aws_xray_group.this) == 0 && !contains(output.alarms, "slipway-mirror-ErroredTaskCount")
    error_message = "The mirror and X-Ray have no alarm or group."
  }
}
