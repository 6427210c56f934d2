# Records from a Kafka cluster of one's own in MSK, which a mirror fills from Port's. For organisations whose rules
# keep functions from reading a cluster on the Internet, or whose other consumers read Port's topics too.

port = {
  org_id    = "org_xxxxxxxxxxxxxxxx"
  signature = "required" # others may write to the cluster
}

github = {
  services_repo  = "acme/services"
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

# The first apply leaves it out (-var kafka_mirror=null): scripts/topics makes its topics in between.
kafka_mirror = {
  plugin = {
    bucket_arn = "arn:aws:s3:::acme-msk-plugins"
    key        = "slipway-mirror.zip"
    sha256     = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" # of your archive: docs/install.md
  }
}

# By IAM nobody reads a Kafka password but the mirror: `mirror_credentials`, those of Port.
secret_versions = { kafka = 0 }

# Retries bounded by number and age, and no endpoints, for $135 a month and event source mapping:
# provisioned_pollers = { min = 1, max = 1 }
