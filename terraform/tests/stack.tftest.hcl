mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services", team_reviewers = { platform = ["octocat"] } }
}

run "two_variables_are_enough" {
  command = plan

  assert {
    condition     = output.kafka.mode == "external" && alltrue([for server in output.kafka.bootstrap_servers : endswith(server, ".eu-west-1.amazonaws.com:9196")])
    error_message = "Port's own brokers are the source."
  }

  assert {
    condition     = output.kafka.starting_position == "LATEST"
    error_message = "Runs from before the installation are not repeated."
  }

  assert {
    condition     = output.topics == { runs = "org_test.runs", change_log = "org_test.change.log" }
    error_message = "The topics are the organisation's."
  }

  assert {
    condition     = output.functions["create_service"].consumer_group_id == "org_test.slipway-create_service"
    error_message = "Each function has a consumer group that Port's brokers accept."
  }

  assert {
    condition = (
      aws_lambda_layer_version.slipway.filename == "./tests/artifacts/layer-arm64.zip" &&
      aws_lambda_layer_version.slipway.compatible_architectures == toset(["arm64"]) &&
      aws_lambda_layer_version.slipway.source_code_hash == "content-of-layer-arm64"
    )
    error_message = "The layer is that of the architecture."
  }

  assert {
    condition     = length(module.network) == 0 && length(module.kafka) == 0 && length(aws_msk_single_scram_secret_association.kafka) == 0
    error_message = "No network and no cluster is made."
  }
}

run "an_organisation_in_the_us_has_the_brokers_there" {
  command = plan

  variables {
    port      = { org_id = "org_test", base_url = "https://api.us.port.io", app_url = "https://app.us.port.io" }
    functions = { architecture = "x86_64" }
  }

  assert {
    condition     = alltrue([for server in output.kafka.bootstrap_servers : endswith(server, ".us-east-1.amazonaws.com:9196")])
    error_message = "Brokers and API are in one region."
  }

  assert {
    condition     = aws_lambda_layer_version.slipway.filename == "./tests/artifacts/layer-x86_64.zip"
    error_message = "The layer is that of the architecture."
  }
}

run "the_function_may_do_its_work_and_no_more" {
  variables {
    port_credentials   = { client_id = "id", client_secret = "0123456789abcdef0123456789abcdef" }
    github_credentials = { token = "token" }
    kafka_credentials  = { username = "user", password = "password" }
  }

  assert {
    condition = {
      for statement in flatten([for grant in local.functions["create_service"].grants : local.grants[grant]]) : statement.sid => statement.actions
      } == {
      ReadSecrets            = ["secretsmanager:GetSecretValue"]
      DecryptSecrets         = ["kms:Decrypt"]
      KeepLedger             = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      KeepWaitingRecords     = ["s3:GetObject", "s3:PutObject"]
      UseKeyOfWaitingRecords = ["kms:Decrypt", "kms:GenerateDataKey"]
      DeliverLater           = ["states:StartExecution"]
    }
    error_message = "These statements, and no other."
  }

  assert {
    condition     = local.grants.deliver_later[0].resources == ["arn:aws:s3:::mock/later/*"]
    error_message = "Failed records are out of the function's reach."
  }

  assert {
    condition = alltrue([
      for statement in flatten(values(local.grants)) : length(statement.conditions) == 1 if anytrue([for action in statement.actions : startswith(action, "kms:")])
    ])
    error_message = "The key may be used through one service only."
  }

  assert {
    condition     = local.function_alias_arns["create_service"] == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-create_service:live"
    error_message = "deliver_later may call the alias."
  }

  assert {
    condition     = jsondecode(local.environment.TEAM_REVIEWERS) == { platform = ["octocat"] } && local.environment.PORT_SIGNATURE == "if_present"
    error_message = "The environment is what slipway.config reads."
  }

  assert {
    condition     = !anytrue([for name, _ in local.environment : strcontains(name, "TOKEN") || endswith(name, "CLIENT_SECRET") || strcontains(name, "PASSWORD")])
    error_message = "No secret is in the environment."
  }
}

run "an_existing_cluster_is_read_from_now_on" {
  command = plan

  variables {
    kafka = { mode = "msk", cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" }
  }

  assert {
    condition     = output.kafka.cluster_arn == "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" && output.kafka.starting_position == "LATEST"
    error_message = "The cluster is the one that was named."
  }

  assert {
    condition     = length(module.kafka) == 0 && length(aws_msk_single_scram_secret_association.kafka) == 1
    error_message = "No cluster is made, but the secret's user is made known to it."
  }
}

run "a_new_provisioned_cluster_is_read_from_its_beginning" {
  command = plan

  variables {
    kafka = { mode = "msk", create = {} }
  }

  assert {
    condition     = output.kafka.starting_position == "TRIM_HORIZON" && length(module.kafka) == 1 && length(module.network) == 1
    error_message = "The cluster is made, and every record in it is ours."
  }
}

run "a_new_serverless_cluster_knows_no_secret" {
  command = plan

  variables {
    kafka = { mode = "msk", authentication = "IAM", create = { type = "serverless" } }
  }

  assert {
    condition     = length(module.kafka) == 1 && length(aws_msk_single_scram_secret_association.kafka) == 0
    error_message = "IAM signs in without a secret."
  }
}
