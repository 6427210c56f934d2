output "functions" {
  description = "Per function: its name, alias, log group, consumer group and event source mapping (the last two null without a topic)."
  value = {
    for name, function in module.function : name => {
      function_name        = function.function_name
      alias_arn            = function.alias_arn
      role_name            = function.role_name
      log_group_name       = function.log_group_name
      consumer_group_id    = try(module.kafka_trigger[name].consumer_group_id, null)
      event_source_mapping = try(module.kafka_trigger[name].uuid, module.queue_trigger[name].uuid, null)
    }
  }

  precondition {
    condition     = length(setsubtract(keys(var.functions.reserved_concurrency), keys(local.functions))) == 0
    error_message = "functions.reserved_concurrency names ${join(", ", setsubtract(keys(var.functions.reserved_concurrency), keys(local.functions)))}. The functions are ${join(", ", keys(local.functions))}."
  }
}

output "topics" {
  description = "The Kafka topics that must exist: `runs`, and `change_log` if changes come from there."
  value       = { for name, topic in local.topics : name => topic if !local.by_webhook }
}

output "port_setup" {
  description = "Environment variables for `scripts/port_setup` and `scripts/doctor`: how Port invokes this stack, and which automations it needs."
  value = {
    CHANGES_SOURCE    = var.changes.source
    SUBSCRIPTIONS     = jsonencode(var.subscriptions)
    HEALTH_BLUEPRINTS = jsonencode(local.health_blueprints)
    IDENTIFIER_PREFIX = var.identifier_prefix
    # The owner of these actions in the record that Port keeps.
    INSTALLATION = "${local.account.id}/${local.account.region}/${var.name_prefix}"
    KAFKA_MODE   = local.by_webhook ? "" : var.kafka.mode
    RUN_SOURCE   = var.run_source.mode
    WEBHOOK_URL  = local.by_webhook ? module.reports.webhook_url : ""
  }
}

output "kafka" {
  description = "The source of the records: mode, and the brokers (external) or the MSK cluster. Null with `run_source.mode` `webhook`."
  value = local.by_webhook ? null : {
    mode              = var.kafka.mode
    bootstrap_servers = local.bootstrap_servers
    cluster_arn       = local.cluster_arn
    starting_position = local.starting_position
  }
}

output "secrets" {
  description = "ARN of each secret: port, github, links and, if used, kafka, mirror and slack. An operator fills in those whose `secret_versions` is 0."
  value       = module.secrets.arns
}

output "tables" {
  description = "Name of each DynamoDB table: runs, locks, idempotency, approvals, remediations."
  value       = { for key, table in module.storage.tables : key => table.name }
}

output "records_bucket" {
  description = "Bucket with waiting (`later/`, `requests/`) and failed records (`aws/lambda/`, `held/`; once settled, `archive/`), the previews (`approvals/`) and the policy."
  value       = module.storage.records_bucket.name
}

output "failed_records_queue" {
  description = "Queue with a message for each failed record: name, ARN and URL."
  value = {
    name = module.storage.failed_records_queue_name
    arn  = module.storage.failed_records_queue_arn
    url  = module.storage.failed_records_queue_url
  }
}

output "key_arn" {
  description = "KMS key that encrypts secrets, stored records, notifications and logs."
  value       = module.secrets.key_arn
}

output "roles" {
  description = "Name and ARN of each IAM role, by function or, with `_machine`, by state machine."
  value = merge(
    { for name, function in module.function : name => { name = function.role_name, arn = function.role_arn } },
    {
      approval_machine      = module.approval.role
      remediation_machine   = module.remediation.role
      deliver_later_machine = module.deliver_later.role
    },
  )
}

output "apis" {
  description = "Both REST APIs, approvals and reports: id, name, execution ARN, and name and ARN of the stage. Use them for a custom domain or a web ACL."
  value       = { approvals = module.approval.api, reports = module.reports.api }
}

output "network" {
  description = "VPC, private subnets and security group of the Kafka cluster or mirror. Null: not requested."
  value = one([for network in module.network : {
    vpc_id            = network.vpc_id
    subnet_ids        = network.subnet_ids
    security_group_id = network.security_group_id
  }])
}

output "deliver_later_arn" {
  description = "State machine for delayed delivery of runs."
  value       = module.deliver_later.arn
}

output "approval_machine_arn" {
  description = "State machine that requests an approval and waits."
  value       = module.approval.machine_arn
}

output "approvals_api_url" {
  description = "Base address of the REST API and of approval links."
  value       = module.approval.base_url
}

output "reports_url" {
  description = "Value for the services repository's variable SLIPWAY_REPORTS_URL."
  value       = module.reports.url
}

output "webhook_url" {
  description = "Where Port sends runs and changes, with `run_source.mode` `webhook`; else null."
  value       = local.by_webhook ? module.reports.webhook_url : null
}

output "queues" {
  description = "With `run_source.mode` `webhook`, per function: URL of its queue and of its dead-letter queue."
  value       = { for name, queue in module.queue_trigger : name => { url = queue.url, dead_letters_url = queue.dead_letters_url } }
}

output "approvals_decision_arn" {
  description = "Resources of `execute-api:Invoke` for an approver's role that decides by the REST API."
  value       = "${module.approval.api_stage_arn}/POST/approvals/*/decision"
}

output "operators_deny_policy" {
  description = "IAM policy in JSON that denies a role all ways to decide other than the approval flow. Use it in a permission set or as a service control policy, not for the role that applies this stack."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for sid, denied in local.operators_denied : { Sid = sid, Effect = "Deny", Action = denied.actions, Resource = denied.resources } if length(denied.resources) > 0
    ]
  })
}

output "approvals_topic_arn" {
  description = "SNS topic of notifications to approvers. Each subscription is confirmed once, by scripts/confirm with the link of the e-mail from AWS."
  value       = module.approval.topic_arn
}

output "remediation_machine_arn" {
  description = "State machine that checks and repairs a service."
  value       = module.remediation.machine_arn
}

output "alerts_topic_arn" {
  description = "SNS topic of services that Slipway escalates to people. Each e-mail address must confirm its subscription once."
  value       = module.remediation.topic_arn
}

output "dashboard" {
  description = "CloudWatch dashboard of the stack."
  value       = module.observability.dashboard
}

output "alarms" {
  description = "Names of the stack's alarms."
  value       = module.observability.alarms
}

output "audit_bucket" {
  description = "Bucket with an immutable record of each decision (`decisions/`)."
  value       = module.storage.audit_bucket.name
}
