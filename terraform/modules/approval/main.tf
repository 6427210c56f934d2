locals {
  name = "${var.name_prefix}-approval"
}

module "machine" {
  source = "../state_machine"

  account          = var.account
  name             = local.name
  role_name        = "${local.name}-machine" # the function of the same name has a role of that name
  template         = "${path.module}/definition.asl.json"
  values           = { function = var.function_alias_arn }
  retryable_errors = ["PortUnavailable", "GitHubUnavailable", "RunInProgress", "RetryableError"]
  statements = [{
    sid       = "TakeSteps"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_alias_arn]
  }]
  function_timeout_seconds = var.function_timeout_seconds
  logs_data                = false # task tokens
  on_stop                  = { sweep_alias_arn = var.sweep_alias_arn }
  key_arn                  = var.key_arn
  logs                     = var.logs
  roles                    = var.roles
}

# Each message has a link with which one person decides, so each approver gets only their own.
module "topic" {
  source = "../topic"

  account             = var.account
  name                = "${var.name_prefix}-approvals"
  key_arn             = var.key_arn
  emails              = var.approver_emails
  recipient_attribute = "approver"
  existing            = var.existing_topic
}
