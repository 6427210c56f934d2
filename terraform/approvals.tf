# The policy document, and the parts that request approvals, wait and receive decisions.
locals {
  approvers = merge(var.approvals.approvers, {
    remind_before_seconds = var.approvals.approvers.remind_before_seconds == 0 ? null : var.approvals.approvers.remind_before_seconds
  })

  # By Port's operation of the catalog's actions; scripts/catalog check prints the rules from the
  # same file.
  default_rules = [
    for rule in [
      for default in jsondecode(file("${path.module}/default_rules.json")) : {
        actions      = flatten([for operation in default.operations : local.actions_of[operation]])
        environments = default.environments == "all" ? ["*"] : var.approvals.environments_without_approval
        approval     = default.approval ? local.approvers : null
        auto_merge   = default.auto_merge
      }
    ] : rule if length(rule.actions) > 0 && length(rule.environments) > 0
  ]

  rules = [
    for rule in var.approvals.rules == null ? [] : var.approvals.rules : merge(rule, {
      approval = rule.approval == null ? null : merge(
        rule.approval,
        length(rule.approval.emails) + length(rule.approval.teams) > 0 ? {} : { emails = local.approvers.emails, teams = local.approvers.teams },
        { remind_before_seconds = rule.approval.remind_before_seconds == 0 ? null : rule.approval.remind_before_seconds },
      )
    })
  ]

  policy = {
    schema_version = 1
    domain_aliases = var.approvals.domain_aliases
    limits         = var.approvals.limits
    settings       = var.catalog_settings
    repositories   = var.github.repositories
    rules          = concat(local.rules, [for rule in local.default_rules : rule if var.approvals.rules == null])
    default        = { approval = local.approvers, auto_merge = false }
    without_person = var.approvals.without_person
    # Lists that would exceed a function's environment.
    approver_principals = var.approvals.approver_principals
    approver_accounts   = var.approvals.approver_accounts
    team_reviewers      = var.github.team_reviewers
    own_actions         = local.own_actions
    own_automations     = local.own_automations
  }

  ruled_actions        = flatten(local.policy.rules[*].actions)
  actions_without_rule = contains(local.ruled_actions, "*") ? [] : sort(setsubtract(keys(local.actions), local.ruled_actions))

  # Every person in the policy gets notifications.
  approver_emails = toset(flatten([
    for requirement in concat([local.policy.default], local.policy.rules) : try(requirement.approval.emails, [])
  ]))
}

resource "aws_s3_object" "policy" {
  bucket       = module.storage.records_bucket.name
  key          = "policy/policy.json"
  content      = jsonencode(local.policy)
  content_type = "application/json"

  # S3 allows ten tags per object, and an installation's own tags may exceed that.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  # A policy that refers to a refused catalog must not take effect.
  depends_on = [aws_lambda_invocation.check_catalog]

  lifecycle {
    # With another key, the functions read the old document until they know the new key.
    create_before_destroy = true
  }
}

module "approval" {
  source = "./modules/approval"

  account                  = local.account
  name_prefix              = var.name_prefix
  function_alias_arn       = local.function_alias_arns["approval"]
  sweep_alias_arn          = local.function_alias_arns["sweep_runs"]
  function_timeout_seconds = var.functions.timeout_seconds
  key_arn                  = module.secrets.key_arn
  approver_emails          = local.approver_emails
  existing_topic           = var.notification_topics.approvals
  api                      = var.approvals.api
  waf                      = var.features.waf
  links_base_url           = var.links_base_url
  logs                     = local.logs
  roles                    = local.roles
}
