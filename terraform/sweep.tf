# The sweep's schedule, and its subjects.
locals {
  # The self-service actions, with the alias that reads their runs.
  own_actions = merge(flatten([
    for name, function in local.consumers : {
      for action in setsubtract(flatten([for filter in function.filters : lookup(filter, "action", [])]), ["${var.identifier_prefix}run_ended"]) : action => local.function_alias_arns[name]
    } if function.topic == "runs"
  ])...)

  # The automations for ends of runs and for changes of entities; slipway.health.automations names the latter.
  own_automations = [
    for name in concat(
      [for action, _ in local.actions : "${action}_ended"],
      [for blueprint in local.health_blueprints : "${blueprint}_health_changes" if var.changes.source == "automations"],
      [for name in var.subscriptions[*].name : "${name}_changes" if var.changes.source == "automations"],
    ) : "${var.identifier_prefix}${name}"
  ]

  # In seconds, as slipway.sweep.decide.Limits names them.
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
  description         = "Sweeps abandoned runs"
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

# The mapping of each function: the sweep spares the runs of paused functions, and counts mappings
# with a problem. Not in the functions' environment, because their mappings are created after them.
resource "aws_s3_object" "consumers" {
  bucket       = module.storage.records_bucket.name
  key          = "policy/consumers.json"
  content      = jsonencode({ for name, trigger in merge(module.kafka_trigger, module.queue_trigger) : local.function_alias_arns[name] => trigger.uuid })
  content_type = "application/json"

  # S3 allows ten tags per object, and an installation's own tags may exceed that.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

data "aws_iam_policy_document" "sweep_mappings" {
  statement {
    sid       = "LookAtMappings"
    actions   = ["lambda:GetEventSourceMapping"]
    resources = [for trigger in merge(module.kafka_trigger, module.queue_trigger) : "arn:${local.account.partition}:lambda:${local.account.region}:${local.account.id}:event-source-mapping:${trigger.uuid}"]
  }
}

resource "aws_iam_role_policy" "sweep_mappings" {
  name   = "mappings"
  role   = module.function["sweep_runs"].role_name
  policy = data.aws_iam_policy_document.sweep_mappings.json
}
