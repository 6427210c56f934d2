# For scripts/permissions: a plan in which each resource that a policy may name has an ARN of its own.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan

  override_resource {
    target          = module.storage.aws_dynamodb_table.runs
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-runs" }
  }

  override_resource {
    target          = module.storage.aws_dynamodb_table.locks
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-locks" }
  }

  override_resource {
    target          = module.storage.aws_dynamodb_table.approvals
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-approvals" }
  }

  override_resource {
    target          = module.storage.aws_dynamodb_table.remediations
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-remediations" }
  }

  override_resource {
    target          = module.storage.aws_dynamodb_table.idempotency
    override_during = plan
    values          = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-idempotency" }
  }

  override_resource {
    target          = module.storage.module.records[0].aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws:s3:::slipway-records" }
  }

  override_resource {
    target          = module.storage.module.audit[0].aws_s3_bucket.this
    override_during = plan
    values          = { arn = "arn:aws:s3:::slipway-audit" }
  }

  override_resource {
    target          = module.secrets.aws_secretsmanager_secret.this["port"]
    override_during = plan
    values          = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slipway/port" }
  }

  override_resource {
    target          = module.secrets.aws_secretsmanager_secret.this["github"]
    override_during = plan
    values          = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slipway/github" }
  }

  override_resource {
    target          = module.secrets.aws_secretsmanager_secret.this["links"]
    override_during = plan
    values          = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slipway/links" }
  }

  override_resource {
    target          = module.secrets.aws_secretsmanager_secret.this["slack"]
    override_during = plan
    values          = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slipway/slack" }
  }

  override_resource {
    target          = module.secrets.aws_kms_key.this[0]
    override_during = plan
    values          = { arn = "arn:aws:kms:eu-west-1:111122223333:key/slipway" }
  }

  override_resource {
    target          = module.approval.module.machine.aws_sfn_state_machine.this
    override_during = plan
    values          = { arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:slipway-approval" }
  }

  override_resource {
    target          = module.deliver_later.module.machine.aws_sfn_state_machine.this
    override_during = plan
    values          = { arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:slipway-deliver_later" }
  }

  override_resource {
    target          = module.approval.module.topic.aws_sns_topic.this[0]
    override_during = plan
    values          = { arn = "arn:aws:sns:eu-west-1:111122223333:slipway-approvals" }
  }

  override_resource {
    target          = module.remediation.module.topic.aws_sns_topic.this[0]
    override_during = plan
    values          = { arn = "arn:aws:sns:eu-west-1:111122223333:slipway-alerts" }
  }

  # A random text for each function's: scripts/permissions knows it by the group's name.
  mock_resource "aws_cloudwatch_log_group" {
    defaults = {}
  }

  override_resource {
    target          = module.approval.aws_cloudwatch_log_group.api
    override_during = plan
    values          = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:slipway-approvals" }
  }

  override_resource {
    target          = module.reports.aws_cloudwatch_log_group.this
    override_during = plan
    values          = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:slipway-reports" }
  }
}

variables {
  artifacts_dir     = "./tests/artifacts"
  port              = { org_id = "org_xxxxxxxxxxxxxxxx" }
  github            = { repositories = { services = { name = "acme/services" } } }
  run_source        = { mode = "webhook" } # its functions may do more than those of Kafka
  secret_versions   = { slack = 1 }
  slack_webhook_url = "https://hooks.slack.com/services/mock"
}

run "plan" {
  command = plan
}
