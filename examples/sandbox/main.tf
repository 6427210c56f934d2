# The installation on one machine; scripts/apply_sandbox fills in `sandbox`. The modes have
# different names, so that their installations can share one sandbox.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

# The endpoint comes from the environment (AWS_ENDPOINT_URL).
provider "aws" {
  default_tags {
    # Larger than an object in S3 may be.
    tags = {
      Application = "slipway", ManagedBy = "terraform"
      Environment = "sandbox", CostCenter = "1", Owner = "platform", Team = "platform", Contact = "platform", Tier = "1"
      Repository  = "slipway", Criticality = "low", Backup = "no"
    }
  }
}

locals {
  msk      = var.mode == "msk"
  webhook  = var.mode == "webhook"
  api_base = "${var.sandbox.aws_url}/_aws/execute-api/{api_id}/live"
}

module "slipway" {
  source        = "../../terraform"
  artifacts_dir = var.artifacts_dir

  name_prefix         = try(var.catalog.name_prefix, var.mode == "external" ? "slipway" : "slipway-${var.mode}")
  catalog_dir         = try(var.catalog.dir, null)
  identifier_prefix   = try(var.catalog.identifier_prefix, "")
  deletion_protection = false
  features            = { records_lifecycle = false, xray_group = false, broker_storage_scaling = false }
  # Shorter than the default: the time that a run waits after its function was killed.
  functions = { architecture = var.sandbox.architecture, timeout_seconds = 60 }

  port = { base_url = var.sandbox.port_url, app_url = var.sandbox.port_url, org_id = var.sandbox.org_id }
  github = {
    api_url        = var.sandbox.github_api_url
    repositories   = { for key, name in try(var.catalog.repositories, { services = var.sandbox.services_repo }) : key => { name = name } }
    team_reviewers = { payments = ["team:payments"], platform = ["team:platform"] }
  }

  # From the beginning, so that runs from before the apply are not lost.
  run_source = { mode = local.webhook ? "webhook" : "kafka" }
  kafka = {
    mode              = local.msk ? "msk" : "external"
    bootstrap_servers = local.msk || local.webhook ? null : var.sandbox.kafka_bootstrap_servers
    create            = local.msk ? { type = "provisioned" } : null
    starting_position = "TRIM_HORIZON"
  }
  provisioned_pollers = local.msk ? { min = 1, max = 1 } : null

  links_base_url = local.api_base
  reports        = { base_url = local.api_base }

  catalog_settings = {
    for name, value in {
      health_url     = "${var.sandbox.cluster_url}/services/{service}/health"
      health_allowed = ["${var.sandbox.cluster_url}/services/"]
    } : name => value if var.catalog == null
  }

  # Faster than elsewhere, so that people can watch. The cluster's health URLs are on this machine.
  health_probe = {
    allowed_cidrs = ["127.0.0.0/8"]
    # Your own catalog has addresses with the default port.
    allowed_ports = concat([tonumber(regex(":(\\d+)$", var.sandbox.cluster_url)[0])], var.catalog == null ? [] : [443])
    canary_url    = "${var.sandbox.cluster_url}/services"
  }
  remediation = {
    strategies = [
      { kind = "restart", wait_seconds = 5 },
      { kind = "roll_back", wait_seconds = 5, auto_merge = true },
      { kind = "scale_up", wait_seconds = 5, max_replicas = 5 },
    ]
    environments            = try(var.catalog.environments, ["Test", "Staging", "Production"])
    approval_environments   = var.catalog != null ? [] : ["Production"]
    auto_merge_environments = try(var.catalog.environments, ["Test", "Staging", "Production"])
    max_per_hour            = 5
    # Higher than the failures that a soak causes at the same time.
    max_repairs  = 100
    verify       = { probes = 4, interval_seconds = 1, healthy_after = 2, unhealthy_after = 2 }
    settle       = { probes = 6, interval_seconds = 1, healthy_after = 2, unhealthy_after = 6 }
    alert_emails = ["platform@acme.example"]
  }
  sweep        = { rate_minutes = 1 }
  alarm_emails = ["operator@acme.example"]

  # A team's subscription to the change log: here a state machine that records which services were
  # scaled.
  subscriptions = [{
    name          = "scaling-log"
    state_machine = "team-scaling-log"
    filter        = { blueprint = "service", changed = ["replicas"] }
  }]

  approvals = {
    approvers           = { emails = ["devops@acme.example"], teams = ["devops"] }
    domain_aliases      = { "acme.test" = "acme.example" }
    approver_principals = { slipway-approver = "devops@acme.example" }
    # So that the sandbox can be destroyed.
    audit = { mode = "GOVERNANCE", retention_days = 1 }
    # The form of AWS's own examples; a second plan must find nothing to change.
    api = { resource_policy = <<-EOT
      {
        "Version": "2012-10-17",
        "Statement": [
          {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
           "Condition": {"StringEquals": {"aws:PrincipalAccount": "000000000000"}}},
          {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
           "Resource": ["execute-api:/live/GET/links/*", "execute-api:/live/POST/links/*"]}
        ]
      }
    EOT
    }
  }

  port_credentials   = var.port_credentials
  github_credentials = var.github_credentials
  kafka_credentials  = var.kafka_credentials
}

output "slipway" {
  description = "All outputs of the module: terraform output -json slipway."
  value       = module.slipway
}
