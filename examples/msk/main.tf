# Records from your own Kafka cluster in MSK, which a mirror fills from Port's. For organisations
# whose rules do not let functions read a cluster on the Internet, or whose other consumers also
# read Port's topics.
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
    org_id    = "org_xxxxxxxxxxxxxxxx"
    signature = "required" # others may write to the cluster
  }

  github = {
    repositories   = { services = { name = "acme/services" } }
    team_reviewers = { platform = ["team:platform"] }
  }

  approvals = {
    approvers = { emails = ["devops@acme.example"], teams = ["devops"] }
  }

  alarm_emails = ["platform@acme.example"] # each confirms the subscription once

  kafka = {
    mode           = "msk"
    authentication = "IAM"
    create         = { broker_instance_type = "kafka.m7g.large", volume_gib = 20, volume_gib_max = 100 }
    # Instead of `create`, a cluster that exists; its subnets and group are then those of `network`:
    # cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/platform/0a1b2c3d-…-1"
  }

  # network = { vpc_id = "vpc-0123", subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_id = "sg-0123" }

  kafka_mirror = var.mirrored ? {
    plugin = {
      bucket_arn = "arn:aws:s3:::acme-msk-plugins"
      key        = "slipway-mirror.zip"
      sha256     = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" # of your archive: docs/install.md
    }
  } : null

  # With IAM, only the mirror reads a Kafka password: `mirror_credentials`, those of Port.
  secret_versions = { kafka = 0 }

  # Retries bounded by number and age, and no endpoints, for $135 a month and event source mapping:
  # provisioned_pollers = { min = 1, max = 1 }

  port_credentials   = var.port_credentials
  github_credentials = var.github_credentials
  mirror_credentials = var.mirror_credentials
}

output "slipway" {
  description = "All outputs of the module: terraform output -json slipway."
  value       = module.slipway
}
