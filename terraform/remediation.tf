# Changes of entities: the subscriptions, and the check and repair of unhealthy services.
locals {
  # Additional settings of each strategy.
  strategy_settings = {
    restart   = []
    roll_back = ["auto_merge"]
    scale_up  = ["step", "max_replicas"]
  }

  remediation_policy = {
    schema_version = 1
    mode           = var.remediation.mode
    strategies = [
      for strategy in var.remediation.strategies : {
        for name, value in strategy : name => value
        if contains(concat(["kind", "attempts", "wait_seconds"], local.strategy_settings[strategy.kind]), name)
      }
    ]
    environments            = var.remediation.environments
    approval_environments   = var.remediation.approval_environments
    auto_merge_environments = var.remediation.auto_merge_environments
    max_per_hour            = var.remediation.max_per_hour
    max_repairs             = var.remediation.max_repairs
    quiet_seconds           = var.remediation.quiet_seconds
    verify                  = var.remediation.verify
    settle                  = var.remediation.settle
  }

  probe_limits = {
    allowed_cidrs    = var.health_probe.allowed_cidrs
    allowed_ports    = var.health_probe.allowed_ports
    canary_url       = var.health_probe.canary_url
    deadline_seconds = var.health_probe.deadline_seconds
  }

  # A filter cannot compare before and after, so these filters pass more than the function
  # processes. Health comes first, as in the function's own table.
  change_filters = concat(
    [{
      resourceType = ["entity"]
      # A filter must name a value; no blueprint has an empty name.
      context = { blueprint = length(local.health_blueprints) > 0 ? local.health_blueprints : [""] }
      diff    = { after = { properties = { health_status = ["Progressing", "Degraded"] } } }
    }],
    [
      for subscription in var.subscriptions : merge(
        { resourceType = ["entity"], context = { blueprint = [subscription.filter.blueprint] } },
        { for name in ["diff"] : name => { after = { properties = subscription.filter.properties } } if length(subscription.filter.properties) > 0 },
      )
    ],
  )
}

resource "aws_s3_object" "remediation_policy" {
  bucket       = module.storage.records_bucket.name
  key          = "policy/remediation.json"
  content      = jsonencode(local.remediation_policy)
  content_type = "application/json"

  # S3 allows ten tags per object, and an installation's own tags may exceed that.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

module "remediation" {
  source = "./modules/remediation"

  account                  = local.account
  name_prefix              = var.name_prefix
  function_alias_arn       = local.function_alias_arns["remediation"]
  probe_function_alias_arn = local.function_alias_arns["probe_health"]
  approval_alias_arn       = local.function_alias_arns["approval"]
  sweep_alias_arn          = local.function_alias_arns["sweep_runs"]
  function_timeout_seconds = var.functions.timeout_seconds
  key_arn                  = module.secrets.key_arn
  alert_emails             = var.remediation.alert_emails
  existing_topic           = var.notification_topics.alerts
  logs                     = local.logs
  roles                    = local.roles
}
