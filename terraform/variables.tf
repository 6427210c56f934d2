variable "port" {
  description = <<-EOT
    The Port organisation.
    base_url: Port's API (`https://api.us.port.io` for organisations in the US), without the `/v1` of its routes.
    app_url: Port's address for people, with which links on run pages and in pull requests begin.
    org_id: the organisation's id; the Kafka topics and consumer groups begin with it.
    signature: `required` refuses messages without Port's signature, `if_present` checks those that have one.
  EOT
  type = object({
    base_url  = optional(string, "https://api.port.io")
    app_url   = optional(string, "https://app.port.io")
    org_id    = string
    signature = optional(string, "if_present")
  })
  nullable = false

  validation {
    condition     = can(regex("^https?://[^\\s/]+(/.*[^/])?$", var.port.base_url)) && can(regex("^https?://[^\\s/]+(/.*[^/])?$", var.port.app_url))
    error_message = "port.base_url and port.app_url must be http(s) addresses without a trailing slash."
  }

  validation {
    condition     = !endswith(var.port.base_url, "/v1")
    error_message = "port.base_url must not end with /v1, which is part of each route: https://api.port.io."
  }

  validation {
    # Kafka limits a topic's name to 249 characters, and the longest one ends with ".change.log".
    condition     = can(regex("^[A-Za-z0-9_-]{1,200}$", var.port.org_id))
    error_message = "port.org_id must consist of letters, digits, - and _. Port shows it in the address bar and at GET /v1/organization."
  }

  validation {
    condition     = contains(["required", "if_present"], var.port.signature)
    error_message = "port.signature must be \"required\" or \"if_present\"."
  }
}

variable "workflows" {
  description = <<-EOT
    Whether KAFKA nodes of Port's Workflows may request changes. Such a request has no person: its inputs come from its
    message, and a change that needs an approval needs two approvers (`approvals.without_person`).
  EOT
  type        = bool
  default     = false
  nullable    = false
}

variable "github" {
  description = <<-EOT
    The only repositories that receive pull requests. The catalog refers to them by key.
    api_url: GitHub's REST API (`https://<host>/api/v3` on GitHub Enterprise Server).
    repositories: key, as in `repository` of the catalog's resource.yaml, to the repository. Several keys may name one.
      name: `<owner>/<name>`. base_branch: the branch that pull requests go to. merge_method: how Slipway merges: `squash`,
      `merge`, `rebase`, or `auto` for the first of these that the repository allows. installation_id: of the GitHub App
      for this repository's owner; null: that of `github_credentials`.
    team_reviewers: Port team to the GitHub users who review its pull requests; a GitHub team is written `team:<slug>`.
  EOT
  type = object({
    api_url = optional(string, "https://api.github.com")
    repositories = map(object({
      name            = string
      base_branch     = optional(string, "main")
      merge_method    = optional(string, "auto")
      installation_id = optional(string)
    }))
    team_reviewers = optional(map(list(string)), {})
  })
  nullable = false

  validation {
    condition     = can(regex("^https?://[^\\s/]+(/.*[^/])?$", var.github.api_url))
    error_message = "github.api_url must be an http(s) address without a trailing slash."
  }

  validation {
    # A key may be part of an identifier, and identifiers allow these characters (docs/catalog.md).
    condition     = length(var.github.repositories) > 0 && alltrue([for key in keys(var.github.repositories) : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$", key))])
    error_message = "github.repositories needs at least one repository, and keys of up to 100 letters, digits and any of ._- between them."
  }

  validation {
    condition     = alltrue([for repository in values(var.github.repositories) : can(regex("^[\\w.-]+/[\\w.-]+$", repository.name))])
    error_message = "github.repositories: name must be \"<owner>/<name>\"."
  }

  validation {
    condition     = alltrue([for repository in values(var.github.repositories) : can(regex("^[^\\s~^:?*\\[\\\\]+$", repository.base_branch))])
    error_message = "github.repositories: base_branch must be the name of a branch."
  }

  validation {
    condition     = alltrue([for repository in values(var.github.repositories) : contains(["auto", "squash", "merge", "rebase"], repository.merge_method)])
    error_message = "github.repositories: merge_method must be \"auto\", \"squash\", \"merge\" or \"rebase\"."
  }

  validation {
    condition     = alltrue([for repository in values(var.github.repositories) : can(regex("^[1-9][0-9]{0,18}$", coalesce(repository.installation_id, "1")))])
    error_message = "github.repositories: installation_id must be the number at the end of the App installation's address."
  }

  validation {
    # GitHub ignores letter case in repository names.
    condition = length(distinct([for repository in values(var.github.repositories) : merge(repository, { name = lower(repository.name) })])) == length(
      distinct([for repository in values(var.github.repositories) : lower(repository.name)])
    )
    error_message = "github.repositories: keys that name one repository must agree in base_branch, merge_method and installation_id."
  }

  validation {
    condition = alltrue([
      for reviewer in flatten(values(var.github.team_reviewers)) : can(regex("^(team:)?[A-Za-z0-9][A-Za-z0-9_-]*$", reviewer))
    ])
    error_message = "github.team_reviewers must map each Port team to a list of GitHub users (\"octocat\") and teams (\"team:platform\")."
  }
}

variable "catalog_dir" {
  description = <<-EOT
    Folder of the catalog: the kinds of entities and their actions (`docs/catalog.md`). Each action has its own function.
    Null: the shipped catalog. To check a catalog before an apply: `scripts/catalog check`.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.catalog_dir == null ? true : length(fileset(var.catalog_dir, "*/resource.yaml")) > 0
    error_message = "catalog_dir has no kind: it must be a folder with a file <kind>/resource.yaml for each kind."
  }
}

variable "catalog_settings" {
  description = <<-EOT
    Settings of the catalog (`settings` of its resource.yaml files), by name, which replace their defaults. The shipped catalog
    has: namespace, apps_chart_url, argocd_app_url, grafana_url, health_url, health_allowed (patterns of
    addresses by which services are repaired), ttl_days.
  EOT
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.catalog_settings)) && alltrue([for name in try(keys(var.catalog_settings), []) : can(regex("^[a-z][a-z0-9_]*$", name))])
    error_message = "catalog_settings must be an object whose names have lower-case letters, digits and _."
  }
}

variable "identifier_prefix" {
  description = <<-EOT
    Prefix of this installation's actions and automations in Port: `acme_` makes the action
    `acme_create_service`. Installations in the same Port organisation need different prefixes. Function names do not have it.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9_]{0,20}$", var.identifier_prefix))
    error_message = "identifier_prefix must have up to 20 lower-case letters, digits and _."
  }
}

variable "functions" {
  description = <<-EOT
    Settings of all Lambda functions.
    architecture: `arm64` or `x86_64`; `scripts/build` builds both.
    memory_mb: 128 to 10240; Lambda gives CPU in proportion.
    timeout_seconds: 30 to 840, so that the 15 minutes of an event source mapping's invocation are never reached.
    log_level: DEBUG, INFO, WARNING or ERROR.
    log_retention_days: a retention that CloudWatch Logs supports.
    vpc: subnets and security groups for all functions but probe_health, which has `health_probe.vpc`. They need a route to the
    Internet (Port, GitHub) and to AWS. Null: no VPC, with Lambda's own route to the Internet.
    reserved_concurrency: function (`create_service`, `approval`, …) to its reserved concurrent executions,
    which are also its limit. Other functions share the rest of the account. AWS refuses a reservation that leaves less
    than 100, and so any reservation in a new account with a total of 10.
  EOT
  type = object({
    architecture         = optional(string, "arm64")
    memory_mb            = optional(number, 1024)
    timeout_seconds      = optional(number, 120)
    log_level            = optional(string, "INFO")
    log_retention_days   = optional(number, 90)
    reserved_concurrency = optional(map(number), {})
    vpc = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.functions.architecture)
    error_message = "functions.architecture must be \"arm64\" or \"x86_64\"."
  }

  validation {
    condition     = var.functions.memory_mb >= 128 && var.functions.memory_mb <= 10240 && floor(var.functions.memory_mb) == var.functions.memory_mb
    error_message = "functions.memory_mb must be a whole number from 128 to 10240."
  }

  validation {
    # Slipway retries up to 20 s in the process before it postpones the delivery.
    condition     = var.functions.timeout_seconds >= 30 && var.functions.timeout_seconds <= 840
    error_message = "functions.timeout_seconds must be from 30 to 840: an event source mapping ends an invocation after 15 minutes."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.functions.log_level)
    error_message = "functions.log_level must be DEBUG, INFO, WARNING or ERROR."
  }

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.functions.log_retention_days)
    error_message = "functions.log_retention_days must be a retention of CloudWatch Logs. The values are 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }

  validation {
    condition     = alltrue([for number in values(var.functions.reserved_concurrency) : number >= 1 && floor(number) == number])
    error_message = "functions.reserved_concurrency must be whole numbers from 1; leave a function out to reserve none. To stop a function, run scripts/pause."
  }

  validation {
    condition = var.functions.vpc == null || try(
      length(var.functions.vpc.subnet_ids) >= 1 && length(var.functions.vpc.security_group_ids) >= 1 &&
      alltrue([for id in var.functions.vpc.subnet_ids : startswith(id, "subnet-")]) &&
      alltrue([for id in var.functions.vpc.security_group_ids : startswith(id, "sg-")]),
      false
    )
    error_message = "functions.vpc needs at least one subnet (subnet-…) and one security group (sg-…)."
  }
}

variable "sweep" {
  description = <<-EOT
    How often the sweep runs, and how long each state may last (docs/sweep.md describes what it then does).
    rate_minutes: 1 to 1440, between two sweeps.
    never_received_seconds: 60 to 86400, for a run that has not reached a function; then the sweep invokes the function itself.
    report_seconds: 60 to 86400 and no less than functions.timeout_seconds, between the end of a pull request and of its run; then the sweep reports it.
    pull_request_seconds: 3600 to 31536000, for an open pull request.
    reminder_seconds: how long before that limit the sweep comments; shorter than the limit.
    held_seconds: 3600 to 2592000, for a run on hold.
  EOT
  type = object({
    rate_minutes           = optional(number, 5)
    never_received_seconds = optional(number, 900)
    report_seconds         = optional(number, 1800)
    pull_request_seconds   = optional(number, 2592000)
    reminder_seconds       = optional(number, 259200)
    held_seconds           = optional(number, 259200)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for number in values(var.sweep) : floor(number) == number])
    error_message = "sweep must consist of whole numbers."
  }

  validation {
    condition     = var.sweep.rate_minutes >= 1 && var.sweep.rate_minutes <= 1440
    error_message = "sweep.rate_minutes must be from 1 to 1440."
  }

  validation {
    # Lambda retries and Kafka lags for minutes on an ordinary day.
    condition     = alltrue([for limit in [var.sweep.never_received_seconds, var.sweep.report_seconds] : limit >= 60 && limit <= 86400])
    error_message = "sweep.never_received_seconds and sweep.report_seconds must be from 60 to 86400 (a day)."
  }

  validation {
    # Otherwise it would clean up after a run that a function still works on, and not check again.
    condition     = var.sweep.report_seconds >= var.functions.timeout_seconds
    error_message = "sweep.report_seconds must not be less than functions.timeout_seconds."
  }

  validation {
    condition     = var.sweep.pull_request_seconds >= 3600 && var.sweep.pull_request_seconds <= 31536000
    error_message = "sweep.pull_request_seconds must be from 3600 (an hour) to 31536000 (a year)."
  }

  validation {
    condition     = var.sweep.reminder_seconds >= 60 && var.sweep.reminder_seconds < var.sweep.pull_request_seconds
    error_message = "sweep.reminder_seconds must be at least 60 and less than sweep.pull_request_seconds."
  }

  validation {
    # Old versions of stored records are kept for 14 days, requests for 120.
    condition     = var.sweep.held_seconds >= 3600 && var.sweep.held_seconds <= 2592000
    error_message = "sweep.held_seconds must be from 3600 (an hour) to 2592000 (30 days)."
  }
}

variable "artifacts_dir" {
  description = "Folder with the output of `scripts/build`: the archives and `artifacts.json`. Null: `build/` beside this folder."
  type        = string
  default     = null

  validation {
    condition     = fileexists("${coalesce(var.artifacts_dir, "${path.module}/../build")}/artifacts.json")
    error_message = "The folder has no artifacts.json: run scripts/build first."
  }

  validation {
    condition = !fileexists("${coalesce(var.artifacts_dir, "${path.module}/../build")}/artifacts.json") || contains(
      keys(try(jsondecode(file("${coalesce(var.artifacts_dir, "${path.module}/../build")}/artifacts.json")), {})), "layer-${var.functions.architecture}"
    )
    error_message = "The folder has no layer for ${var.functions.architecture}: run scripts/build, which makes both architectures, or set functions.architecture to the architecture of the archives."
  }
}

variable "name_prefix" {
  description = "Prefix of all resource names and consumer groups. A different prefix creates a separate installation."
  type        = string
  default     = "slipway"
  nullable    = false

  validation {
    # The longest name is the bucket's: 63 characters with the account, the region and "-artifacts".
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must have 3 to 24 lower case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "alarm_emails" {
  description = "People who are notified by e-mail when an alarm begins and ends. Each must confirm the subscription once, by the e-mail from AWS."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}

variable "alarm_actions" {
  description = "ARNs that are notified when an alarm begins and ends, for example SNS topics. An encrypted topic's key must let CloudWatch use it."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions must be ARNs."
  }
}

variable "observability" {
  description = <<-EOT
    Dashboard and alarms; `alarm_actions` has the recipients of alarms.
    runbook_url: address of docs/runbook.md for the descriptions of alarms, which the people on call can open.
    record_age_seconds: maximum age of a record when its processing begins.
  EOT
  type = object({
    runbook_url        = optional(string, "docs/runbook.md")
    record_age_seconds = optional(number, 900)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[^\\s#]+$", var.observability.runbook_url))
    error_message = "observability.runbook_url must be an address without a fragment: alarms add the heading."
  }

  validation {
    condition     = var.observability.record_age_seconds >= 60 && floor(var.observability.record_age_seconds) == var.observability.record_age_seconds
    error_message = "observability.record_age_seconds must be a whole number from 60."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role that this stack creates. Null: none."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[\\w-]+:iam::(\\d{12}|aws):policy/.+$", coalesce(var.permissions_boundary_arn, "arn:aws:iam::aws:policy/none")))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "deletion_protection" {
  description = "Protects tables, records and secrets from deletion with the stack: tables refuse it, the bucket must be empty, secrets and their key wait 30 days."
  type        = bool
  default     = true
  nullable    = false
}

variable "features" {
  description = <<-EOT
    Features that the sandbox's AWS lacks or slows down, and optional features.
    records_lifecycle: expiry of old records; the provider polls S3 for 50 s until the rules are stable.
    xray_group: a group, and so a map, of the functions' traces.
    broker_storage_scaling: whether the volumes of a cluster made here grow.
    waf: a web ACL for the approvals' API, billed per month, rule and request.
  EOT
  type = object({
    records_lifecycle      = optional(bool, true)
    xray_group             = optional(bool, true)
    broker_storage_scaling = optional(bool, true)
    waf                    = optional(bool, false)
  })
  default  = {}
  nullable = false
}
