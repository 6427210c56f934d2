mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name              = "slipway"
  subnet_ids        = ["subnet-a", "subnet-b", "subnet-c"]
  security_group_id = "sg-a"
  logs              = { prefix = "/aws", retention_days = 90 }
  authentication    = "IAM"
  storage_scaling   = false
  key_arn           = "arn:aws:kms:eu-west-1:111122223333:key/slipway"
  settings = {
    type                 = "provisioned"
    kafka_version        = "3.8.x"
    broker_instance_type = "kafka.m7g.large"
    brokers_per_zone     = 1
    volume_gib           = 50
    volume_gib_max       = 200
  }
}

run "a_provisioned_cluster_requires_tls_and_access_lists" {
  command = plan

  module {
    source = "./modules/kafka"
  }

  variables {
    authentication  = "SCRAM"
    storage_scaling = true
  }

  assert {
    condition = (
      aws_msk_cluster.this[0].encryption_info[0].encryption_in_transit[0].client_broker == "TLS" &&
      aws_msk_cluster.this[0].client_authentication[0].sasl[0].scram && aws_msk_cluster.this[0].client_authentication[0].sasl[0].iam
    )
    error_message = "Clients must use TLS and authenticate."
  }

  assert {
    condition     = strcontains(aws_msk_configuration.this[0].server_properties, "allow.everyone.if.no.acl.found = false") && strcontains(aws_msk_configuration.this[0].server_properties, "auto.create.topics.enable = false")
    error_message = "Topics and rights are not created automatically."
  }

  assert {
    condition     = aws_msk_cluster.this[0].number_of_broker_nodes == 3 && length(aws_msk_serverless_cluster.this) == 0
    error_message = "Each zone has a broker."
  }

  assert {
    condition = (
      aws_msk_cluster.this[0].encryption_info[0].encryption_at_rest_kms_key_arn == "arn:aws:kms:eu-west-1:111122223333:key/slipway" &&
      aws_msk_cluster.this[0].encryption_info[0].encryption_in_transit[0].in_cluster &&
      aws_cloudwatch_log_group.brokers[0].kms_key_id == "arn:aws:kms:eu-west-1:111122223333:key/slipway"
    )
    error_message = "Volumes and log are encrypted with the stack's key, and brokers speak TLS to each other."
  }

  assert {
    condition     = aws_msk_cluster.this[0].broker_node_group_info[0].connectivity_info[0].public_access[0].type == "DISABLED"
    error_message = "Brokers have no public address."
  }

  assert {
    condition     = aws_appautoscaling_target.storage[0].max_capacity == 200 && aws_appautoscaling_policy.storage[0].target_tracking_scaling_policy_configuration[0].disable_scale_in
    error_message = "Volumes grow up to the limit; they cannot shrink."
  }

  assert {
    condition     = aws_msk_cluster.this[0].logging_info[0].broker_logs[0].cloudwatch_logs[0].enabled
    error_message = "Brokers write a log."
  }
}

run "a_cluster_for_iam_has_no_passwords" {
  command = plan

  module {
    source = "./modules/kafka"
  }

  variables {
    settings = {
      type                 = "provisioned"
      kafka_version        = "3.8.x"
      broker_instance_type = "kafka.m7g.large"
      brokers_per_zone     = 2
      volume_gib           = 50
      volume_gib_max       = 200
    }
  }

  assert {
    condition     = aws_msk_cluster.this[0].client_authentication[0].sasl[0].iam && !aws_msk_cluster.this[0].client_authentication[0].sasl[0].scram
    error_message = "Only IAM authentication is on."
  }

  assert {
    condition     = aws_msk_cluster.this[0].number_of_broker_nodes == 6 && length(aws_appautoscaling_target.storage) == 0
    error_message = "The brokers are as configured, and their storage does not scale."
  }
}

run "topics_have_no_more_copies_than_brokers" {
  command = plan

  module {
    source = "./modules/kafka"
  }

  variables {
    subnet_ids = ["subnet-a", "subnet-b"]
  }

  assert {
    condition = (
      strcontains(aws_msk_configuration.this[0].server_properties, "default.replication.factor = 2\n") &&
      strcontains(aws_msk_configuration.this[0].server_properties, "min.insync.replicas = 1\n")
    )
    error_message = "Two brokers have two copies, and writes continue while one broker restarts."
  }
}

run "four_brokers_in_two_zones_have_three_copies" {
  command = plan

  module {
    source = "./modules/kafka"
  }

  variables {
    subnet_ids = ["subnet-a", "subnet-b"]
    settings = {
      type                 = "provisioned"
      kafka_version        = "3.9.x.kraft"
      broker_instance_type = "kafka.m7g.large"
      brokers_per_zone     = 2
      volume_gib           = 50
      volume_gib_max       = 200
    }
  }

  assert {
    condition = (
      strcontains(aws_msk_configuration.this[0].server_properties, "default.replication.factor = 3\n") &&
      strcontains(aws_msk_configuration.this[0].server_properties, "min.insync.replicas = 2\n")
    )
    error_message = "Topics have three copies, and a write needs two."
  }

  assert {
    condition     = aws_msk_configuration.this[0].name == "slipway-3-9-x-kraft"
    error_message = "Each version has a configuration with its own valid name."
  }
}
