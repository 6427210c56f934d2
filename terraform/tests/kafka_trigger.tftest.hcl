mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  msk = {
    mode              = "msk"
    bootstrap_servers = []
    cluster_arn       = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1"
    authentication    = "SCRAM"
  }
  account = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name    = "runs"
  source_cluster = {
    mode              = "external"
    bootstrap_servers = ["kafka-1.example.com:9096", "kafka-2.example.com:9096"]
    cluster_arn       = null
    authentication    = "SCRAM"
  }
  org_id              = "org_test"
  topic               = "org_test.runs"
  consumer_group_id   = "org_test.slipway-example"
  filters             = [{ resourceType = ["run"], action = ["example"] }]
  batch_size          = 1
  starting_position   = "LATEST"
  provisioned_pollers = null
  function_alias_arn  = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live"
  function_role_name  = "slipway-example"
  secret = {
    arn     = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:kafka"
    key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  failed_records = {
    bucket_arn = "arn:aws:s3:::records"
    key_arn    = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
}

run "an_external_cluster_is_read_as_a_self_managed_source" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.self_managed_event_source[0].endpoints["KAFKA_BOOTSTRAP_SERVERS"] == "kafka-1.example.com:9096,kafka-2.example.com:9096"
    error_message = "All bootstrap servers are named."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == null && length(aws_lambda_event_source_mapping.this.amazon_managed_kafka_event_source_config) == 0
    error_message = "The mapping has no settings of MSK."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.self_managed_kafka_event_source_config[0].consumer_group_id == "org_test.slipway-example"
    error_message = "The consumer group is the function's own."
  }

  assert {
    condition = one(aws_lambda_event_source_mapping.this.source_access_configuration) == {
      type = "SASL_SCRAM_512_AUTH"
      uri  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:kafka"
    }
    error_message = "Lambda signs in with the SCRAM secret."
  }
}

run "each_record_is_invoked_filtered_and_stored_on_failure" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 1
    error_message = "The batch size is 1."
  }

  assert {
    condition = jsondecode(one(one(aws_lambda_event_source_mapping.this.filter_criteria).filter).pattern) == {
      value = { resourceType = ["run"], action = ["example"] }
    }
    error_message = "The filter is on the decoded value."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "arn:aws:s3:::records"
    error_message = "Failed records go to S3."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.topics == toset(["org_test.runs"]) && aws_lambda_event_source_mapping.this.starting_position == "LATEST"
    error_message = "The mapping reads one topic from the configured position."
  }
}

run "on_demand_pollers_have_no_error_controls" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.provisioned_poller_config) == 0
    error_message = "The mapping has no provisioned pollers."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.bisect_batch_on_function_error == null
    error_message = "The mapping has no bisecting."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_response_types == null
    error_message = "The mapping has no partial batch responses."
  }
}

run "provisioned_pollers_bound_retries" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    provisioned_pollers = {
      min                        = 1
      max                        = 2
      maximum_retry_attempts     = 3
      maximum_record_age_seconds = 3600
      bisect_batch_on_error      = true
    }
  }

  assert {
    condition = one(aws_lambda_event_source_mapping.this.provisioned_poller_config) == {
      minimum_pollers = 1
      maximum_pollers = 2
    }
    error_message = "The mapping has both limits."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.this.maximum_retry_attempts == 3 &&
      aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 3600 &&
      aws_lambda_event_source_mapping.this.bisect_batch_on_function_error == true &&
      aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    )
    error_message = "The mapping has retries, age, bisecting and partial batch responses."
  }
}

run "mapping_with_provisioned_pollers" {
  state_key = "mode"

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    provisioned_pollers = {
      min                        = 1
      max                        = 2
      maximum_retry_attempts     = 3
      maximum_record_age_seconds = 3600
      bisect_batch_on_error      = true
    }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == 3
    error_message = "The mapping has error controls."
  }
}

run "other_limits_change_the_mapping_in_place" {
  state_key = "mode"

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    provisioned_pollers = {
      min                        = 1
      max                        = 3
      maximum_retry_attempts     = 4
      maximum_record_age_seconds = 3600
      bisect_batch_on_error      = true
    }
  }

  assert {
    condition     = output.uuid == run.mapping_with_provisioned_pollers.uuid
    error_message = "The mapping is not replaced."
  }
}

run "mapping_is_replaced_when_pollers_become_on_demand" {
  state_key = "mode"

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition     = output.uuid != run.mapping_with_provisioned_pollers.uuid
    error_message = "The mapping is replaced, so it has no error controls."
  }
}

run "a_cluster_in_msk_is_read_by_its_arn_and_scram" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    source_cluster = var.msk
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" && length(aws_lambda_event_source_mapping.this.self_managed_event_source) == 0
    error_message = "The cluster is the source."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.amazon_managed_kafka_event_source_config[0].consumer_group_id == "org_test.slipway-example"
    error_message = "The consumer group is the function's own."
  }

  assert {
    condition     = one(aws_lambda_event_source_mapping.this.source_access_configuration).type == "SASL_SCRAM_512_AUTH"
    error_message = "Lambda signs in with the SCRAM secret."
  }

  assert {
    condition     = contains([for statement in data.aws_iam_policy_document.this.statement : statement.sid], "EventSourceFindCluster")
    error_message = "The role may find the cluster."
  }
}

run "iam_needs_no_secret_but_rights_to_one_topic_and_group" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    source_cluster = merge(var.msk, { authentication = "IAM" })
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.source_access_configuration) == 0
    error_message = "No secret is used."
  }

  assert {
    condition     = !contains(flatten([for statement in data.aws_iam_policy_document.this.statement : statement.actions]), "secretsmanager:GetSecretValue")
    error_message = "No secret may be read."
  }

  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.this.statement : toset(statement.resources) if statement.sid == "EventSourceReadTopic"
      ]) == toset([
      "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1",
      "arn:aws:kafka:eu-west-1:111122223333:topic/runs/0a1b-1/org_test.runs",
      "arn:aws:kafka:eu-west-1:111122223333:group/runs/0a1b-1/org_test.slipway-example",
    ])
    error_message = "The role has rights to one cluster, one topic and one group."
  }
}

run "an_external_source_needs_only_its_secret_and_the_bucket" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.this.statement : statement.actions])) == toset([
      "secretsmanager:GetSecretValue", "kms:Decrypt", "s3:PutObject", "s3:ListBucket", "kms:GenerateDataKey",
    ])
    error_message = "Lambda may only read the secret and write failed records."
  }

  assert {
    condition     = !contains(flatten([for statement in data.aws_iam_policy_document.this.statement : statement.resources]), "*")
    error_message = "Every statement names its resource."
  }
}

run "a_consumer_group_outside_the_organisation_is_refused" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    consumer_group_id = "slipway-example"
  }

  expect_failures = [var.consumer_group_id]
}

run "a_consumer_group_that_is_too_long_is_refused" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    consumer_group_id = "org_test.${join("", [for number in range(200) : "x"])}"
  }

  expect_failures = [var.consumer_group_id]
}

run "empty_filter_two_topics_and_empty_batch_are_refused" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    filters           = [{}]
    topic             = "org_test.runs,org_test.change.log"
    starting_position = "AT_TIMESTAMP"
    batch_size        = 0
  }

  expect_failures = [var.filters, var.topic, var.starting_position, var.batch_size]
}

run "the_functions_code_may_not_change_network_interfaces" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    source_cluster = var.msk
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : anytrue([
        for condition in statement.condition :
        condition.test == "Null" && condition.variable == "lambda:SourceFunctionArn" && condition.values == tolist(["true"])
      ]) if anytrue([for action in statement.actions : startswith(action, "ec2:")])
    ]) && anytrue([for statement in data.aws_iam_policy_document.this.statement : contains(statement.actions, "ec2:DeleteNetworkInterface")])
    error_message = "Lambda may create and delete interfaces, but the function's code may not."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : alltrue([for action in statement.actions : startswith(action, "ec2:") || action == "kafka:GetBootstrapBrokers"]) if contains(statement.resources, "*")
    ])
    error_message = "Only EC2's calls and GetBootstrapBrokers are on all resources."
  }
}

run "with_scram_the_clusters_secrets_may_be_listed" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    source_cluster = var.msk
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement : one(statement.resources) => toset(statement.actions) if statement.sid == "EventSourceFindCluster"
    } == { (var.source_cluster.cluster_arn) = toset(["kafka:DescribeClusterV2", "kafka:ListScramSecrets"]) }
    error_message = "Lambda may check whether the secret belongs to the cluster."
  }
}

run "with_iam_secrets_may_not_be_listed" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    source_cluster = merge(var.msk, { authentication = "IAM" })
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.this.statement : statement.actions if statement.sid == "EventSourceFindCluster"
    ])) == toset(["kafka:DescribeClusterV2"])
    error_message = "With IAM, the role has no grants for secrets."
  }
}
