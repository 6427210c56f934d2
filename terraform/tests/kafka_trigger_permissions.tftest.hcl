# What an event source of MSK may do, beside reading its topic.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "runs"
  source_cluster = {
    mode              = "msk"
    bootstrap_servers = []
    cluster_arn       = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1"
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
  secret              = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:kafka", key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k" }
  failed_records      = { bucket_arn = "arn:aws:s3:::records", key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k" }
}

run "the_functions_code_may_not_touch_network_interfaces" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : anytrue([
        for condition in statement.condition :
        condition.test == "Null" && condition.variable == "lambda:SourceFunctionArn" && condition.values == tolist(["true"])
      ]) if anytrue([for action in statement.actions : startswith(action, "ec2:")])
    ]) && anytrue([for statement in data.aws_iam_policy_document.this.statement : contains(statement.actions, "ec2:DeleteNetworkInterface")])
    error_message = "Lambda makes and deletes the interfaces; code that runs with the role may not."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : alltrue([for action in statement.actions : startswith(action, "ec2:") || action == "kafka:GetBootstrapBrokers"]) if contains(statement.resources, "*")
    ])
    error_message = "Only EC2's calls and GetBootstrapBrokers name no resource."
  }
}

run "by_scram_the_clusters_secrets_may_be_listed" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement : one(statement.resources) => toset(statement.actions) if statement.sid == "EventSourceFindCluster"
    } == { (var.source_cluster.cluster_arn) = toset(["kafka:DescribeClusterV2", "kafka:ListScramSecrets"]) }
    error_message = "Lambda looks whether the secret belongs to the cluster."
  }
}

run "by_iam_there_are_no_secrets_to_list" {
  command = plan

  module {
    source = "./modules/kafka_trigger"
  }

  variables {
    source_cluster = {
      mode              = "msk"
      bootstrap_servers = []
      cluster_arn       = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1"
      authentication    = "IAM"
    }
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.this.statement : statement.actions if statement.sid == "EventSourceFindCluster"
    ])) == toset(["kafka:DescribeClusterV2"])
    error_message = "Nothing is granted that IAM does not need."
  }
}
