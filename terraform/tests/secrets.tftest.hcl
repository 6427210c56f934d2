mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix         = "slipway"
  msk                 = false
  versions            = { port = 1, github = 1, kafka = 1 }
  port_credentials    = { client_id = "id", client_secret = "the-client-secret" }
  github_credentials  = { token = "the-token" }
  kafka_credentials   = { username = "user", password = "the-password" }
  deletion_protection = true
}

run "secrets_are_written_and_not_kept" {
  module {
    source = "./modules/secrets"
  }

  assert {
    condition = alltrue([
      for version in concat(aws_secretsmanager_secret_version.port, aws_secretsmanager_secret_version.github, aws_secretsmanager_secret_version.kafka) :
      version.secret_string_wo == null && version.secret_string_wo_version == 1
    ])
    error_message = "The state holds the number of the version, not the value."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == aws_kms_key.this.arn])
    error_message = "All secrets are encrypted with the stack's own, rotated key."
  }

  assert {
    condition     = aws_secretsmanager_secret.this["kafka"].name == "slipway/kafka" && aws_secretsmanager_secret.this["port"].recovery_window_in_days == 30
    error_message = "Names begin with the prefix, and a deleted secret can be brought back."
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
  }

  # Known in a plan only because nothing is to be written.
  assert {
    condition     = aws_secretsmanager_secret_version.port[0].version_id != null
    error_message = "Without a new number the value is left alone."
  }
}

run "a_secret_of_version_nought_is_never_written" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    versions = { port = 0, github = 1, kafka = 0 }
  }

  assert {
    condition     = length(aws_secretsmanager_secret_version.port) == 0 && length(aws_secretsmanager_secret_version.kafka) == 0 && length(aws_secretsmanager_secret_version.github) == 1
    error_message = "Nought leaves the value to somebody else."
  }
}

run "msk_gets_a_secret_with_the_name_that_it_demands" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    msk = true
  }

  assert {
    condition     = aws_secretsmanager_secret.this["kafka"].name == "AmazonMSK_slipway"
    error_message = "MSK refuses other names."
  }
}
