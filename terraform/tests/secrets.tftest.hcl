mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account             = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name_prefix         = "slipway"
  msk                 = false
  versions            = { port = 1, github = 1, kafka = 1, links = 1, slack = 1 }
  port_credentials    = { client_id = "id", client_secret = "the-client-secret" }
  github_credentials  = { token = "the-token" }
  kafka_credentials   = { username = "user", password = "the-password" }
  mirror_credentials  = { username = "reader", password = "the-other-password" }
  slack_webhook_url   = "https://hooks.slack.com/services/T0/B0/x"
  deletion_protection = true
}

run "secrets_are_not_in_the_state" {
  module {
    source = "./modules/secrets"
  }

  assert {
    condition = alltrue([
      for version in concat(aws_secretsmanager_secret_version.port, aws_secretsmanager_secret_version.github, aws_secretsmanager_secret_version.kafka, aws_secretsmanager_secret_version.links, aws_secretsmanager_secret_version.slack) :
      version.secret_string_wo == null && version.secret_string_wo_version == 1
    ])
    error_message = "The state contains the version's number, but not the value."
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation && alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == output.key_arn])
    error_message = "All secrets are encrypted with the stack's own, rotated key."
  }

  assert {
    condition = jsonencode([
      for statement in data.aws_iam_policy_document.key.statement : [statement.actions, { for condition in statement.condition : condition.variable => condition.values }]
      if contains(flatten([for principal in statement.principals : tolist(principal.identifiers)]), "cloudwatch.amazonaws.com")
      ]) == jsonencode([[["kms:Decrypt", "kms:GenerateDataKey*"], {
        "aws:SourceAccount" = ["111122223333"]
        "aws:SourceArn"     = ["arn:aws:cloudwatch:eu-west-1:111122223333:alarm:slipway-*"]
    }]])
    error_message = "CloudWatch may use the key for this stack's alarms, which publish to an encrypted topic."
  }

  assert {
    condition     = aws_secretsmanager_secret.this["kafka"].name == "slipway/kafka" && aws_secretsmanager_secret.this["port"].recovery_window_in_days == 30
    error_message = "Names begin with the prefix, and a deleted secret can be restored."
  }
}

run "a_later_plan_needs_no_values" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    port_credentials   = null
    github_credentials = null
    kafka_credentials  = null
    slack_webhook_url  = null
  }

  # A plan knows these values only because it writes nothing.
  assert {
    condition     = aws_secretsmanager_secret_version.port[0].version_id != null && aws_secretsmanager_secret_version.links[0].version_id != null && aws_secretsmanager_secret_version.slack[0].version_id != null
    error_message = "Without a new version number, the value is unchanged."
  }
}

run "a_secret_with_version_0_is_not_written" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    versions = { port = 0, github = 1, kafka = 0, links = 0, slack = 0 }
  }

  assert {
    condition     = length(aws_secretsmanager_secret_version.port) == 0 && length(aws_secretsmanager_secret_version.kafka) == 0 && length(aws_secretsmanager_secret_version.github) == 1
    error_message = "Version 0 does not write the value."
  }

  assert {
    condition     = length(aws_secretsmanager_secret_version.links) == 0 && aws_secretsmanager_secret.this["links"].name == "slipway/links"
    error_message = "Version 0 does not write the key of links."
  }

  assert {
    condition     = toset(keys(aws_secretsmanager_secret.this)) == toset(["port", "github", "kafka", "links"]) && length(aws_secretsmanager_secret_version.slack) == 0
    error_message = "Without Slack, its secret is not created."
  }
}

run "a_new_version_writes_a_new_key_of_links" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    versions = { port = 1, github = 1, kafka = 1, links = 2, slack = 1 }
  }

  assert {
    condition     = aws_secretsmanager_secret_version.links[0].secret_string_wo_version == 2
    error_message = "A new version number writes a new key."
  }
}

run "the_secret_for_msk_has_the_required_prefix" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    msk = true
  }

  assert {
    condition     = aws_secretsmanager_secret.this["kafka"].name == "AmazonMSK_slipway"
    error_message = "The secret's name has the prefix that MSK requires."
  }
}
