locals {
  name = "${var.name_prefix}-remediation"
}

module "machine" {
  source = "../state_machine"

  account   = var.account
  name      = local.name
  role_name = "${local.name}-machine" # the function of the same name has a role of that name
  template  = "${path.module}/definition.asl.json"
  values = {
    function       = var.function_alias_arn
    probe_function = var.probe_function_alias_arn
    approvals      = var.approval_alias_arn
  }
  retryable_errors = ["PortUnavailable", "GitHubUnavailable", "RetryableError"]
  statements = [{
    sid       = "TakeSteps"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_alias_arn, var.probe_function_alias_arn, var.approval_alias_arn]
  }]
  function_timeout_seconds = var.function_timeout_seconds
  logs_data                = false # task tokens
  on_stop                  = { sweep_alias_arn = var.sweep_alias_arn }
  key_arn                  = var.key_arn
  logs                     = var.logs
  roles                    = var.roles
}

# Services that Slipway escalates to people.
module "topic" {
  source = "../topic"

  account  = var.account
  name     = "${var.name_prefix}-alerts"
  key_arn  = var.key_arn
  emails   = var.alert_emails
  existing = var.existing_topic
}
