module "observability" {
  source = "./modules/observability"

  account           = local.account
  name_prefix       = var.name_prefix
  dashboard_name    = "${var.name_prefix}${local.account_suffix}"
  metrics_namespace = local.metrics_namespace
  functions = {
    for name, function in module.function : name => {
      function_name   = function.function_name
      log_group_name  = function.log_group_name
      timeout_seconds = var.functions.timeout_seconds
      consumer        = contains(keys(local.consumers), name) && !local.by_webhook
      rate_seconds    = name == "sweep_runs" ? var.sweep.rate_minutes * 60 : null
    }
  }
  queues = { for name, queue in module.queue_trigger : name => queue.names }
  state_machines = {
    approval = {
      name    = module.approval.machine_name
      arn     = module.approval.machine_arn
      runbook = "a-run-is-on-hold"
      alarms = {
        ExecutionsFailed   = "a run is on hold and its service stays locked; scripts/resume continues it"
        ExecutionsTimedOut = "an execution ran for longer than 45 days; Slipway ended its run"
        ExecutionsAborted  = "an operator stopped an execution; Slipway ended its run"
      }
    }
    remediation = {
      name    = module.remediation.machine_name
      arn     = module.remediation.machine_arn
      runbook = "a-remediation-failed"
      alarms = {
        ExecutionsFailed   = "Slipway stopped checking a service after an internal error; its health_detail in Port names the execution"
        ExecutionsTimedOut = "an execution ran for longer than 45 days; Slipway stopped checking its service"
      }
    }
    deliver_later = {
      name    = module.deliver_later.name
      arn     = module.deliver_later.arn
      runbook = "records-failed"
      alarms = {
        ExecutionsFailed   = "a run could not be delivered; its record is on hold"
        ExecutionsTimedOut = "an execution ran for longer than a week"
      }
    }
  }
  failed_records_queue = module.storage.failed_records_queue_name
  api                  = module.approval.api
  reports_api          = module.reports.api
  mirror               = one(module.kafka_mirror[*].connector_name)
  alarm_actions        = var.alarm_actions
  alarm_emails         = var.alarm_emails
  key_arn              = module.secrets.key_arn
  runbook_url          = var.observability.runbook_url
  record_age_seconds   = var.observability.record_age_seconds
  xray_group           = var.features.xray_group
}
