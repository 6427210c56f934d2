variable "approvals" {
  description = <<-EOT
    Who approves what, and how approvers are notified. `docs/approvals.md` describes how requests are decided.
    approvers: who must approve a change that no other rule matches. Without approvers, Slipway refuses changes that need an
      approval at their start.
      - emails: people, each of whom gets a personal link.
      - teams: Port teams whose members may decide.
      - count: how many people must approve.
      - expires_after_seconds: 5 to 2592000 (30 days).
      - remind_before_seconds: how long before the end approvers are reminded. 0: never.
    domain_aliases: e-mail domain to the domain that it is an alias of. People cannot approve their own request with an
      alias.
    limits: action of the catalog to its limits (`.limits`) and their values, which replace those of its action.yaml.
    rules: the first rule that matches an action of the catalog and an environment (`*`: all) decides. A change without a
      matching rule needs the approval of `approvers`. Null: the default rules. In these a create needs no approval, and an
      update or delete needs one outside of `environments_without_approval`.
      - approval: as `approvers`, whose emails and teams are the default. Null: an approval is not needed.
      - auto_merge: whether Slipway merges the pull request.
    environments_without_approval: environments of the catalog, for the default rules.
    without_person: `two_approvers` or `refuse`, for changes that need an approval and that machine credentials (as
      themselves or in a person's name) or a workflow requested.
    approver_principals: IAM role to the e-mail address of the only person who may assume it, for decisions by the REST API.
      Write a role of this account as its name, and a role of another account as arn:aws:iam::<account>:role/<name>. Roles of
      IAM Identity Center need no entry, because their sessions carry the person's name.
    approver_accounts: other accounts whose roles of IAM Identity Center count as people.
    audit: how S3 protects the records of decisions from deletion.
      - mode: in `GOVERNANCE` only a role with s3:BypassGovernanceRetention can delete a record. In `COMPLIANCE` not even the
        account's root user can. Then personal data in the records cannot be erased on request, and the bucket cannot be
        destroyed until the last record expires.
      - retention_days: 1 to 36500.
    api: settings of the approvals API.
      - throttle_rate, throttle_burst: requests per second, and burst.
      - manage_account: whether this stack sets the role with which API Gateway writes access logs. An account has one such
        role per region, and it stays when the stack is destroyed. False: the account already has one; scripts/doctor checks it.
      - resource_policy: who may reach the API, for example an office's addresses. It is a JSON policy whose resources are
        `execute-api:/…`. A statement that allows `*` needs aws:PrincipalAccount or aws:PrincipalOrgID. The links
        (execute-api:/live/GET/links/*, execute-api:/live/POST/links/*) are exempt, because people open them without AWS
        credentials. Null: IAM principals of this account, and owners of valid links.
  EOT
  type = object({
    approvers = optional(object({
      emails                = optional(list(string), [])
      teams                 = optional(list(string), [])
      count                 = optional(number, 1)
      expires_after_seconds = optional(number, 86400)
      remind_before_seconds = optional(number, 7200)
    }), {})
    domain_aliases = optional(map(string), {})
    limits         = optional(map(map(number)), {})
    rules = optional(list(object({
      actions      = list(string)
      environments = list(string)
      approval = optional(object({
        emails                = optional(list(string), [])
        teams                 = optional(list(string), [])
        count                 = optional(number, 1)
        expires_after_seconds = optional(number, 86400)
        remind_before_seconds = optional(number, 7200)
      }))
      auto_merge = optional(bool, false)
    })))
    environments_without_approval = optional(list(string), ["Test", "Staging"])
    without_person                = optional(string, "two_approvers")
    approver_principals           = optional(map(string), {})
    approver_accounts             = optional(list(string), [])
    audit = optional(object({
      mode           = optional(string, "GOVERNANCE")
      retention_days = optional(number, 400)
    }), {})
    api = optional(object({
      throttle_rate   = optional(number, 10)
      throttle_burst  = optional(number, 20)
      manage_account  = optional(bool, false)
      resource_policy = optional(string)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["two_approvers", "refuse"], var.approvals.without_person)
    error_message = "approvals.without_person must be \"two_approvers\" or \"refuse\"."
  }

  validation {
    # 254: https://www.rfc-editor.org/errata/eid1690
    condition = alltrue([
      for email in concat(
        var.approvals.approvers.emails,
        flatten([for rule in var.approvals.rules == null ? [] : var.approvals.rules : try(rule.approval.emails, [])]),
        values(var.approvals.approver_principals),
      ) : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email)) && length(email) <= 254
    ])
    error_message = "approvals: approvers' emails and the values of approver_principals must be e-mail addresses."
  }

  validation {
    condition = alltrue([
      for team in concat(
        var.approvals.approvers.teams,
        flatten([for rule in var.approvals.rules == null ? [] : var.approvals.rules : try(rule.approval.teams, [])]),
      ) : length(trimspace(team)) >= 1 && length(team) <= 200
    ])
    error_message = "approvals: teams must be the names of Port teams, of 1 to 200 characters."
  }

  validation {
    condition = alltrue([
      for approval in concat([var.approvals.approvers], [for rule in var.approvals.rules == null ? [] : var.approvals.rules : rule.approval if rule.approval != null]) :
      approval.count >= 1 && approval.count <= 10 && floor(approval.count) == approval.count
    ])
    error_message = "approvals: count must be a whole number from 1 to 10."
  }

  validation {
    # Two spellings of one address count as one person.
    condition = alltrue([
      for approval in concat([var.approvals.approvers], [
        for rule in var.approvals.rules == null ? [] : var.approvals.rules : merge(
          rule.approval,
          length(rule.approval.emails) + length(rule.approval.teams) > 0 ? {} : { emails = var.approvals.approvers.emails, teams = var.approvals.approvers.teams },
        ) if rule.approval != null
      ]) :
      length(approval.emails) == 0 || length(approval.teams) > 0 || approval.count <= length(distinct([for email in approval.emails : lower(email)]))
    ])
    error_message = "approvals: count must not exceed the number of emails without teams: otherwise no request could ever be approved."
  }

  validation {
    condition = alltrue([
      for approval in concat([var.approvals.approvers], [for rule in var.approvals.rules == null ? [] : var.approvals.rules : rule.approval if rule.approval != null]) :
      approval.expires_after_seconds >= 5 && approval.expires_after_seconds <= 2592000 && floor(approval.expires_after_seconds) == approval.expires_after_seconds
    ])
    error_message = "approvals: expires_after_seconds must be a whole number from 5 to 2592000 (30 days)."
  }

  validation {
    condition = alltrue([
      for approval in concat([var.approvals.approvers], [for rule in var.approvals.rules == null ? [] : var.approvals.rules : rule.approval if rule.approval != null]) :
      approval.remind_before_seconds == 0 || (
        approval.remind_before_seconds >= 5 && approval.remind_before_seconds < approval.expires_after_seconds &&
        floor(approval.remind_before_seconds) == approval.remind_before_seconds
      )
    ])
    error_message = "approvals: remind_before_seconds (default 7200) must be 0 for no reminder, or a whole number from 5 that is less than expires_after_seconds."
  }

  validation {
    condition = alltrue([
      for rule in var.approvals.rules == null ? [] : var.approvals.rules :
      length(rule.actions) > 0 && length(rule.environments) > 0 &&
      alltrue([for action in rule.actions : contains(concat(["*"], keys(local.actions)), action)]) &&
      alltrue([for environment in rule.environments : length(trimspace(environment)) > 0])
    ])
    error_message = "approvals.rules: each needs actions (${join(", ", keys(local.actions))} or *) and environments of the catalog, or *."
  }

  validation {
    # Aliases are resolved once, so an alias of an alias would have no effect.
    condition = alltrue([
      for alias, domain in var.approvals.domain_aliases :
      can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", alias)) && can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", domain)) &&
      !contains(keys(var.approvals.domain_aliases), domain)
    ])
    error_message = "approvals.domain_aliases must map domains to domains, both in lower case, and none to a domain that is an alias itself."
  }

  validation {
    condition     = length(setsubtract(keys(var.approvals.limits), keys(local.actions))) == 0
    error_message = "approvals.limits must name actions of the catalog (${join(", ", keys(local.actions))})."
  }

  validation {
    condition     = alltrue([for environment in var.approvals.environments_without_approval : length(trimspace(environment)) > 0 && environment != "*"])
    error_message = "approvals.environments_without_approval must be environments of the catalog. For all of them, write rules."
  }

  validation {
    # Otherwise any user with a role of Identity Center would pass as the person named here.
    condition = alltrue([
      for role in keys(var.approvals.approver_principals) :
      can(regex("^(arn:aws[a-z-]*:iam::[0-9]{12}:role/)?[\\w+=,.@-]{1,64}$", role)) && !can(regex("(^|/)AWSReservedSSO_", role))
    ])
    error_message = "approvals.approver_principals must name IAM roles, without their path; those of other accounts as arn:aws:iam::<account>:role/<name>. Roles of IAM Identity Center (AWSReservedSSO_…) belong to many people: leave them out, because their sessions identify the person."
  }

  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.approvals.audit.mode)
    error_message = "approvals.audit.mode must be COMPLIANCE or GOVERNANCE."
  }

  validation {
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DefaultRetention.html
    condition     = var.approvals.audit.retention_days >= 1 && var.approvals.audit.retention_days <= 36500 && floor(var.approvals.audit.retention_days) == var.approvals.audit.retention_days
    error_message = "approvals.audit.retention_days must be a whole number from 1 to 36500."
  }

  validation {
    # The default limit of an account.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    condition = (
      var.approvals.api.throttle_rate >= 1 && var.approvals.api.throttle_rate <= 10000 &&
      var.approvals.api.throttle_burst >= 1 && var.approvals.api.throttle_burst <= 5000 &&
      floor(var.approvals.api.throttle_burst) == var.approvals.api.throttle_burst
    )
    error_message = "approvals.api.throttle_rate must be 1 to 10000 requests per second, and throttle_burst a whole number from 1 to 5000."
  }

  validation {
    condition     = var.approvals.api.resource_policy == null || can(jsondecode(var.approvals.api.resource_policy).Statement)
    error_message = "approvals.api.resource_policy must be a policy in JSON."
  }

  validation {
    # The API's id is unknown before it exists; the module completes the short form.
    condition = var.approvals.api.resource_policy == null || try(alltrue([
      for statement in flatten([jsondecode(var.approvals.api.resource_policy).Statement]) :
      length(flatten([statement.Resource])) > 0 && alltrue([for resource in flatten([statement.Resource]) : startswith(resource, "execute-api:/")])
    ]), false)
    error_message = "approvals.api.resource_policy: each statement needs a Resource that begins with \"execute-api:/\", for example \"execute-api:/*\"."
  }

  validation {
    # A principal of another account has access if its own policies and this one allow it. So an Allow
    # for all principals lets every AWS account sign requests.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
    condition = alltrue([
      for statement in flatten([try(jsondecode(var.approvals.api.resource_policy).Statement, [])]) :
      try(statement.Effect, "") == "Deny" ||
      alltrue([for principal in try(flatten(values(statement.Principal)), ["*"]) : !can(regex("[*]", principal))]) ||
      alltrue([
        for resource in try(flatten([statement.Resource]), ["*"]) :
        can(regex("^(execute-api:|arn:aws[a-z-]*:execute-api:[^:]*:[^:]*:[^/:*]+)/live/(GET|POST)/links/", resource))
      ]) ||
      anytrue(flatten([
        for operator, keys in try(statement.Condition, {}) : [
          for key, value in keys :
          contains(["aws:principalaccount", "aws:principalorgid"], lower(key)) &&
          alltrue([for each in flatten([value]) : can(regex("^([0-9]{12}|o-[a-z0-9]{10,32})$", each))])
        ] if contains(["stringequals", "stringlike"], lower(operator))
      ]))
    ])
    error_message = "approvals.api.resource_policy must not allow * without a condition StringEquals on aws:PrincipalAccount or aws:PrincipalOrgID: every AWS account could sign requests. Only the links (execute-api:/live/GET/links/*, execute-api:/live/POST/links/*) may be open."
  }

  validation {
    condition     = alltrue([for account in var.approvals.approver_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "approvals.approver_accounts must be AWS account ids of twelve digits."
  }
}

variable "links_base_url" {
  description = "Base address of approval links, if the API has another address than its own, for example a custom domain. `{api_id}` is replaced by the API's id. Null: the API's own address."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^https?://[^\\s/]+(/[^\\s]*[^\\s/])?$", coalesce(var.links_base_url, "https://example.com")))
    error_message = "links_base_url must be an http(s) address without a trailing slash."
  }
}
