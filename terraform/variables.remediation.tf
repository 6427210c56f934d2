# The maximum history of an execution of the remediation machine. Step Functions fails an execution
# at 25,000 events. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
locals {
  # From the machine's definition and the layer, as tests/unit/health/test_history.py counts them.
  remediation_events_of = {
    probe   = 21   # with the wait and the decision before the next one
    attempt = 2896 # a repair that is looked at every 5 seconds for 15 minutes, and the wait after it
    rest    = 200  # beginning, approval, cool-down, end
  }
}

variable "remediation" {
  description = <<-EOT
    What Slipway does for a service whose health status in Port is Progressing or Degraded (`docs/health.md`).
    mode: `repair`; `verify`: services are checked and escalated, never repaired; `off`: nothing.
    strategies: tried in this order.
      - kind: `restart`, `roll_back` or `scale_up`, each at most once.
      - attempts: 1 to 5.
      - wait_seconds: from the repair to the first probe, 5 to 3600.
      - auto_merge (roll_back): whether Slipway merges the pull request.
      - step, max_replicas (scale_up): increment and maximum. The limits of the catalog's action apply, too.
    environments: environments of the catalog where services are repaired, by their reviewed metadata. In all others they are
      only checked and escalated. Only services with an address that the catalog allows
      (`health.allowed`) are repaired.
    approval_environments: those of them where repairs need an approval first, by the rules of `approvals`.
    auto_merge_environments: where Slipway merges pull requests of repairs itself. In others they wait for a person.
    max_per_hour: how often a service is repaired, or corrected to Healthy, per hour; then it cools down. 1 to 20.
    max_repairs: how many repairs begin within ten minutes over all services; beyond that, one alert is sent. 1 to 100.
    quiet_seconds: pause between notifications about the same service. 5 to 604800.
    verify: how to probe a service that was reported as Degraded.
      - probes: the maximum.
      - interval_seconds: between two probes.
      - healthy_after, unhealthy_after: how many equal results in a row decide.
    settle: the same after a deployment or a repair.
    alert_emails: people who are notified of services that Slipway escalates.
  EOT
  type = object({
    mode = optional(string, "repair")
    strategies = optional(list(object({
      kind         = string
      attempts     = optional(number, 1)
      wait_seconds = optional(number, 30)
      auto_merge   = optional(bool, false)
      step         = optional(number, 1)
      max_replicas = optional(number, 10)
    })), [{ kind = "restart" }, { kind = "roll_back" }, { kind = "scale_up" }])
    environments            = optional(list(string), ["Test", "Staging"])
    approval_environments   = optional(list(string), [])
    auto_merge_environments = optional(list(string), ["Test", "Staging"])
    max_per_hour            = optional(number, 3)
    max_repairs             = optional(number, 10)
    quiet_seconds           = optional(number, 14400)
    verify = optional(object({
      probes           = optional(number, 5)
      interval_seconds = optional(number, 10)
      healthy_after    = optional(number, 2)
      unhealthy_after  = optional(number, 3)
    }), {})
    settle = optional(object({
      probes           = optional(number, 12)
      interval_seconds = optional(number, 10)
      healthy_after    = optional(number, 2)
      unhealthy_after  = optional(number, 12)
    }), {})
    alert_emails = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["repair", "verify", "off"], var.remediation.mode)
    error_message = "remediation.mode must be \"repair\", \"verify\" or \"off\"."
  }

  validation {
    condition = (
      alltrue([for strategy in var.remediation.strategies : contains(["restart", "roll_back", "scale_up"], strategy.kind)]) &&
      length(distinct(var.remediation.strategies[*].kind)) == length(var.remediation.strategies)
    )
    error_message = "remediation.strategies must be restart, roll_back and scale_up, each at most once; raise a strategy's attempts to repeat it."
  }

  validation {
    condition = alltrue([
      for strategy in var.remediation.strategies :
      strategy.attempts >= 1 && strategy.attempts <= 5 && floor(strategy.attempts) == strategy.attempts &&
      strategy.wait_seconds >= 5 && strategy.wait_seconds <= 3600 && floor(strategy.wait_seconds) == strategy.wait_seconds &&
      strategy.step >= 1 && strategy.step <= 10 && floor(strategy.step) == strategy.step &&
      strategy.max_replicas >= 1 && strategy.max_replicas <= 1000 && floor(strategy.max_replicas) == strategy.max_replicas
    ])
    error_message = "remediation.strategies: attempts must be whole numbers from 1 to 5, wait_seconds from 5 to 3600, step from 1 to 10, max_replicas from 1 to 1000."
  }

  validation {
    condition     = alltrue([for environment in concat(var.remediation.environments, var.remediation.auto_merge_environments) : length(trimspace(environment)) > 0 && environment != "*"])
    error_message = "remediation.environments and auto_merge_environments must be environments of the catalog, each by its name."
  }

  validation {
    condition     = length(setsubtract(var.remediation.approval_environments, var.remediation.environments)) == 0
    error_message = "remediation.approval_environments must be some of remediation.environments."
  }

  validation {
    condition     = var.remediation.max_per_hour >= 1 && var.remediation.max_per_hour <= 20 && floor(var.remediation.max_per_hour) == var.remediation.max_per_hour
    error_message = "remediation.max_per_hour must be a whole number from 1 to 20."
  }

  validation {
    condition     = var.remediation.max_repairs >= 1 && var.remediation.max_repairs <= 100 && floor(var.remediation.max_repairs) == var.remediation.max_repairs
    error_message = "remediation.max_repairs must be a whole number from 1 to 100."
  }

  validation {
    condition     = var.remediation.quiet_seconds >= 5 && var.remediation.quiet_seconds <= 604800 && floor(var.remediation.quiet_seconds) == var.remediation.quiet_seconds
    error_message = "remediation.quiet_seconds must be a whole number from 5 to 604800 (7 days)."
  }

  validation {
    condition = alltrue([
      for window in [var.remediation.verify, var.remediation.settle] :
      window.probes >= 1 && window.probes <= 60 && window.interval_seconds >= 1 && window.interval_seconds <= 600 &&
      window.healthy_after >= 1 && window.healthy_after <= window.probes &&
      window.unhealthy_after >= 1 && window.unhealthy_after <= window.probes &&
      alltrue([for number in values(window) : floor(number) == number])
    ])
    error_message = "remediation.verify and settle must be whole numbers: probes 1 to 60, interval_seconds 1 to 600, healthy_after and unhealthy_after 1 to probes."
  }

  validation {
    # Probes begin again after each attempt, an approval, a cool-down and a wait for the limit over
    # all services.
    condition = (
      (4 * max(var.remediation.verify.probes, var.remediation.settle.probes) + sum(concat([0], var.remediation.strategies[*].attempts)) * var.remediation.settle.probes) * local.remediation_events_of.probe +
      sum(concat([0], var.remediation.strategies[*].attempts)) * local.remediation_events_of.attempt + local.remediation_events_of.rest <= 21500
    )
    error_message = "remediation: the history of an execution may become too long: with ${sum(concat([0], var.remediation.strategies[*].attempts))} attempts, verify.probes ${var.remediation.verify.probes} and settle.probes ${var.remediation.settle.probes}, it may reach ${(4 * max(var.remediation.verify.probes, var.remediation.settle.probes) + sum(concat([0], var.remediation.strategies[*].attempts)) * var.remediation.settle.probes) * local.remediation_events_of.probe + sum(concat([0], var.remediation.strategies[*].attempts)) * local.remediation_events_of.attempt + local.remediation_events_of.rest} events. Step Functions ends an execution at 25000, and 3500 are reserved for retries. Lower the attempts or the probes."
  }

  validation {
    condition     = alltrue([for email in var.remediation.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "remediation.alert_emails must be e-mail addresses."
  }
}

variable "changes" {
  description = <<-EOT
    The source of changes of entities.
    source: `automations`: Port's automations publish them on the topic of runs, and `scripts/port_setup` installs one for each
      subscription. `change_log`: the topic `ORG_ID.change.log`, for organisations that still have it. Port withdrew it on
    2026-07-13.
  EOT
  type = object({
    source = optional(string, "automations")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["automations", "change_log"], var.changes.source)
    error_message = "changes.source must be \"automations\" or \"change_log\"."
  }
}

variable "subscriptions" {
  description = <<-EOT
    Further subscriptions to changes of entities: state machines of this account and region, besides Slipway's own check of
    services. Each execution's input is {schema_version, subscription, blueprint, entity, updated_at}.
    name: names the entry in logs and metrics. state_machine: its name.
    filter: which changes start an execution.
      - blueprint: of the entity.
      - properties: text property to values. After the change, the property must have one of them.
      - changed: properties, one of which must have changed. None: any change.
      - own_writes: whether Slipway's own health writes count.
  EOT
  type = list(object({
    name          = string
    state_machine = string
    filter = object({
      blueprint  = string
      properties = optional(map(list(string)), {})
      changed    = optional(list(string), [])
      own_writes = optional(bool, false)
    })
  }))
  default  = []
  nullable = false

  validation {
    condition = (
      alltrue([for entry in var.subscriptions : can(regex("^[A-Za-z0-9_-]{1,80}$", entry.name)) && can(regex("^[A-Za-z0-9_-]{1,80}$", entry.state_machine))]) &&
      length(distinct(concat(["health"], var.subscriptions[*].name))) == length(var.subscriptions) + 1
    )
    error_message = "subscriptions: name and state_machine must be 1 to 80 letters, digits, _ and -, each name once; \"health\" is reserved for Slipway."
  }

  validation {
    condition     = alltrue([for entry in var.subscriptions : length(trimspace(entry.filter.blueprint)) > 0 && alltrue([for values in values(entry.filter.properties) : length(values) > 0])])
    error_message = "subscriptions: a filter needs a blueprint, and at least one value for each property."
  }

  validation {
    # Each one is a filter of the event source mapping, and health is the first.
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    condition     = length(var.subscriptions) <= 4
    error_message = "subscriptions: at most 4, because an event source mapping has five filters and health uses one. Let one state machine start several."
  }
}

variable "health_probe" {
  description = <<-EOT
    Limits for the health URLs in the catalogue, which are untrusted input.
    allowed_cidrs: networks whose addresses may be probed; none: public addresses only. Link-local addresses and the
      cloud's metadata service are never probed, regardless of this setting.
    allowed_ports: TCP ports.
    deadline_seconds: for a whole probe, from the name lookup to the last byte; up to 10.
    canary_url: an address that answers whenever the prober's network works, with the same rules as health URLs. If neither
      it nor a service answers, the service is Unknown and not repaired. Null: such a failure counts as the service's.
    vpc: subnets and security groups of the only function that probes, for services without public addresses. It does
      not call AWS, Port or GitHub. Null: that function is not in a VPC.
  EOT
  type = object({
    allowed_cidrs    = optional(list(string), [])
    allowed_ports    = optional(list(number), [80, 443])
    deadline_seconds = optional(number, 3)
    canary_url       = optional(string)
    vpc = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for cidr in var.health_probe.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "health_probe.allowed_cidrs must be networks in CIDR notation, for example 10.0.0.0/8."
  }

  validation {
    condition     = length(var.health_probe.allowed_ports) > 0 && alltrue([for port in var.health_probe.allowed_ports : port >= 1 && port <= 65535 && floor(port) == port])
    error_message = "health_probe.allowed_ports must be at least one whole number from 1 to 65535."
  }

  validation {
    condition = var.health_probe.canary_url == null || try(contains(
      var.health_probe.allowed_ports,
      tonumber(coalesce(
        regex("^https?://[^/?#@:\\s]+(?::([0-9]+))?(?:[/?][!-~]*)?$", var.health_probe.canary_url)[0],
        startswith(var.health_probe.canary_url, "https:") ? "443" : "80",
      ))
    ), false)
    error_message = "health_probe.canary_url must be an http(s) address without user name, at one of health_probe.allowed_ports."
  }

  validation {
    condition = var.health_probe.vpc == null || try(
      length(var.health_probe.vpc.subnet_ids) >= 1 && length(var.health_probe.vpc.security_group_ids) >= 1 &&
      alltrue([for id in var.health_probe.vpc.subnet_ids : startswith(id, "subnet-")]) &&
      alltrue([for id in var.health_probe.vpc.security_group_ids : startswith(id, "sg-")]),
      false
    )
    error_message = "health_probe.vpc needs at least one subnet (subnet-…) and one security group (sg-…)."
  }

  validation {
    condition     = var.health_probe.deadline_seconds > 0 && var.health_probe.deadline_seconds <= 10
    error_message = "health_probe.deadline_seconds must be more than 0 and at most 10."
  }
}
