# For tests/terraform/test_references.py and test_side_by_side.py: plans in both Kafka modes and by webhook, with all that
# is optional. The real provider makes them, as it alone composes policy documents; it asks AWS nothing here. What AWS
# would make or answer is named below, so that no statement and no definition is unknown.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true

  default_tags {
    # Many more than an object in S3 may have.
    tags = { for number in range(40) : "tag-${number}" => "value" }
  }
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

override_data {
  target = data.aws_msk_bootstrap_brokers.mirror[0]
  values = { bootstrap_brokers_sasl_iam = "b-1.one.kafka.eu-west-1.amazonaws.com:9098" }
}

override_data {
  target = module.network[0].data.aws_availability_zones.available[0]
  values = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"], zone_ids = ["euw1-az1", "euw1-az2", "euw1-az3"] }
}

override_resource {
  target          = module.storage.aws_dynamodb_table.runs
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/runs" }
}

override_resource {
  target          = module.storage.aws_dynamodb_table.locks
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/locks" }
}

override_resource {
  target          = module.storage.aws_dynamodb_table.approvals
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/approvals" }
}

override_resource {
  target          = module.storage.aws_dynamodb_table.remediations
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/remediations" }
}

override_resource {
  target          = module.storage.aws_dynamodb_table.idempotency
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/idempotency" }
}

override_resource {
  target          = module.storage.module.records[0].aws_s3_bucket.this
  override_during = plan
  values          = { arn = "arn:aws:s3:::records" }
}

override_resource {
  target          = module.storage.module.audit[0].aws_s3_bucket.this
  override_during = plan
  values          = { arn = "arn:aws:s3:::audit" }
}

override_resource {
  target          = module.artifacts.aws_s3_bucket.this
  override_during = plan
  values          = { arn = "arn:aws:s3:::artifacts" }
}

override_resource {
  target          = module.secrets.aws_secretsmanager_secret.this
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:any-a1b2c3" }
}

override_resource {
  target          = module.secrets.aws_kms_key.this[0]
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d" }
}

override_resource {
  target          = module.approval.module.machine.aws_sfn_state_machine.this
  override_during = plan
  values          = { arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:approval" }
}

override_resource {
  target          = module.deliver_later.module.machine.aws_sfn_state_machine.this
  override_during = plan
  values          = { arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:deliver_later" }
}

override_resource {
  target          = module.remediation.module.machine.aws_sfn_state_machine.this
  override_during = plan
  values          = { arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:remediation" }
}

override_resource {
  target          = module.approval.module.topic.aws_sns_topic.this[0]
  override_during = plan
  values          = { arn = "arn:aws:sns:eu-west-1:111122223333:approvals" }
}

override_resource {
  target          = module.remediation.module.topic.aws_sns_topic.this[0]
  override_during = plan
  values          = { arn = "arn:aws:sns:eu-west-1:111122223333:alerts" }
}

override_resource {
  target          = module.network[0].aws_cloudwatch_log_group.flow_log[0]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:flow-log" }
}

override_resource {
  target          = module.kafka[0].aws_msk_cluster.this[0]
  override_during = plan
  values          = { arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/one/0a1b2c3d-1" }
}

override_data {
  target = module.kafka_mirror[0].data.aws_s3_object.plugin
  values = { checksum_sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_xxxxxxxxxxxxxxxx" }
  github        = { repositories = { services = { name = "acme/services" } }, team_reviewers = { platform = ["team:platform"] } }
  # One installation of an account at most sets API Gateway's role for logs.
  approvals           = { approvers = { emails = ["devops@acme.example"], teams = ["devops"] }, api = { manage_account = false } }
  secret_versions     = { slack = 1 }
  slack_webhook_url   = "https://hooks.slack.com/services/T0/B0/x"
  features            = { waf = true }
  provisioned_pollers = { min = 1, max = 1 }
  remediation         = { alert_emails = ["platform@acme.example"] }
  health_probe        = { vpc = { subnet_ids = ["subnet-a"], security_group_ids = ["sg-b"] } }
  subscriptions       = [{ name = "log", state_machine = "team-log", filter = { blueprint = "service" } }]
}

# The name prefixes do not contain "slipway", so a name without the installation's prefix is noticed.
run "hosted" {
  command = plan

  variables {
    name_prefix = "first"
  }
}

run "msk" {
  command = plan

  variables {
    name_prefix  = "second"
    kafka        = { mode = "msk", authentication = "IAM", create = { volume_gib = 20, volume_gib_max = 100 } }
    kafka_mirror = { plugin = { bucket_arn = "arn:aws:s3:::acme-msk-plugins", key = "slipway-mirror.zip", sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" } }
  }
}

run "webhook" {
  command = plan

  variables {
    name_prefix         = "third"
    run_source          = { mode = "webhook" }
    provisioned_pollers = null # of Kafka alone
  }
}
