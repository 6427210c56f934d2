# The smallest installation without Kafka: Port sends runs and changes by webhook. Copy this folder and fill it in. Only `port`,
# `github` and `run_source` are required. Without `approvals`, Slipway refuses each change that needs an approval.
# ../../terraform/README.md describes all inputs.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }

  # Where the state is: docs/install.md makes the bucket.
  # backend "s3" { bucket = "acme-terraform-state", key = "slipway", region = "eu-west-1", use_lockfile = true }
}

# Region and credentials come from the environment (AWS_REGION, AWS_PROFILE, …).
provider "aws" {
  default_tags {
    tags = { Application = "slipway", ManagedBy = "terraform" }
  }
}

module "slipway" {
  source        = "../../terraform"
  artifacts_dir = var.artifacts_dir

  port = {
    org_id = "org_xxxxxxxxxxxxxxxx" # GET /v1/organization of Port's API says it
    # For an organisation in the US:
    # base_url = "https://api.us.port.io"
    # app_url  = "https://app.us.port.io"
  }

  run_source = { mode = "webhook" }

  github = {
    repositories   = { services = { name = "acme/services" } }
    team_reviewers = { platform = ["team:platform"] }
  }

  approvals = {
    approvers = {
      emails = ["devops@acme.example"] # get a personal link by e-mail
      teams  = ["devops"]              # Port teams whose members may decide, too
    }
    # domain_aliases      = { "acme.io" = "acme.example" }
    # approver_principals = { release-manager = "devops@acme.example" }
    # To try the stack out: records of decisions that can be deleted after a day.
    # audit = { retention_days = 1 }
  }

  # Settings of the shipped catalog: what the catalogue shows of a service after its merge.
  # catalog_settings = {
  #   namespace   = "{service}"
  #   grafana_url = "https://grafana.acme.example/d/service?var-service={service}"
  #   health_url  = "https://{service}.acme.example/health", health_allowed = ["https://*.acme.example/"]
  # }
  # catalog_dir = "./catalog" # actions of your own: docs/catalog.md

  # Without them, services that are unhealthy are looked at but not repaired.
  # health_probe = { canary_url = "https://status.acme.example/" }

  alarm_emails = ["platform@acme.example"] # each confirms the subscription once

  # alarm_actions   = ["arn:aws:sns:eu-west-1:111122223333:platform-alarms"]
  # observability   = { runbook_url = "https://github.com/acme/slipway/blob/main/docs/runbook.md" }
  # functions       = { architecture = "x86_64", log_retention_days = 30 }
  # secret_versions = { slack = 1 } # with slack_webhook_url in the apply that writes it

  port_credentials   = var.port_credentials
  github_credentials = var.github_credentials
}

output "slipway" {
  description = "All outputs of the module: terraform output -json slipway."
  value       = module.slipway
}
