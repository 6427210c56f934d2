mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account        = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name           = "slipway-mirror"
  topics         = ["org_test.runs", "org_test.change.log"]
  source_servers = ["b-1.example.com:9196", "b-2.example.com:9196"]
  source_port    = 9196
  secret         = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slipway/mirror-a1", key_arn = "arn:aws:kms:eu-west-1:111122223333:key/slipway" }
  target         = { cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/slipway/0a1b-1", bootstrap_servers = "b-1.slipway:9098" }
  network        = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-b"], security_group_id = "sg-a" }
  plugin         = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip", version = null, sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/slipway"
  logs           = { prefix = "/aws", retention_days = 90 }
  roles          = { path = "/", suffix = "", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
}

run "both_topics_are_copied_under_their_names" {
  module {
    source = "./modules/kafka_mirror"
  }

  assert {
    condition = (
      aws_mskconnect_connector.this.connector_configuration["topics"] == "org_test\\.runs,org_test\\.change\\.log" &&
      endswith(aws_mskconnect_connector.this.connector_configuration["replication.policy.class"], ".IdentityReplicationPolicy")
    )
    error_message = "The mirror copies these two topics, escaped as patterns, without a prefix."
  }

  assert {
    condition = (
      aws_mskconnect_connector.this.connector_configuration["offset-syncs.topic.location"] == "target" &&
      alltrue([for key in ["sync.topic.acls.enabled", "sync.topic.configs.enabled", "emit.heartbeats.enabled", "emit.checkpoints.enabled"] : aws_mskconnect_connector.this.connector_configuration[key] == "false"])
    )
    error_message = "The mirror only reads from Port's cluster."
  }

  assert {
    condition = (
      aws_mskconnect_connector.this.connector_configuration["source.cluster.security.protocol"] == "SASL_SSL" &&
      aws_mskconnect_connector.this.connector_configuration["target.cluster.security.protocol"] == "SASL_SSL" &&
      aws_mskconnect_connector.this.kafka_cluster_encryption_in_transit[0].encryption_type == "TLS" &&
      aws_mskconnect_connector.this.kafka_cluster_client_authentication[0].authentication_type == "IAM"
    )
    error_message = "The mirror uses TLS for both clusters, and IAM for yours."
  }

  assert {
    condition     = strcontains(aws_mskconnect_connector.this.connector_configuration["source.cluster.sasl.jaas.config"], "password=\"$${secretsmanager:arn%3Aaws%3Asecretsmanager%3Aeu-west-1%3A111122223333%3Asecret%3Aslipway%2Fmirror-a1:password}\"")
    error_message = "The configuration references the password, but does not contain it."
  }

  assert {
    condition     = aws_mskconnect_connector.this.kafka_cluster[0].apache_kafka_cluster[0].vpc[0].security_groups == toset(["sg-a", aws_security_group.mirror.id])
    error_message = "The workers may reach the brokers."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_egress_rule.out : rule.from_port]) == toset([9196, 443])
    error_message = "Outgoing traffic may reach only Port's brokers and Secrets Manager."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.this.statement : !contains(statement.resources, "*")])
    error_message = "No grant is on all resources."
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.this.statement : statement.resources if statement.sid == "WriteMirroredTopics"
    ])) == toset(["arn:aws:kafka:eu-west-1:111122223333:topic/slipway/0a1b-1/org_test.runs", "arn:aws:kafka:eu-west-1:111122223333:topic/slipway/0a1b-1/org_test.change.log"])
    error_message = "The role may write to the two topics."
  }

  assert {
    condition = !contains(flatten([
      for statement in data.aws_iam_policy_document.this.statement : statement.actions if statement.sid == "WriteMirroredTopics"
    ]), "kafka-cluster:CreateTopic")
    error_message = "The mirror does not create topics; scripts/topics does."
  }

  assert {
    condition     = alltrue([for key in ["replication.factor", "offset-syncs.topic.replication.factor"] : aws_mskconnect_connector.this.connector_configuration[key] == "-1"])
    error_message = "The cluster's default decides the number of copies."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary" && aws_cloudwatch_log_group.this.kms_key_id == var.key_arn
    error_message = "The role has the boundary, and the log is encrypted."
  }
}

run "a_cluster_without_iam_is_refused" {
  command = plan

  module {
    source = "./modules/kafka_mirror"
  }

  variables {
    target = { cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/slipway/0a1b-1", bootstrap_servers = "" }
  }

  expect_failures = [var.target]
}

run "an_archive_that_was_changed_is_refused" {
  command = plan

  module {
    source = "./modules/kafka_mirror"
  }

  override_data {
    target = data.aws_s3_object.plugin
    values = { checksum_sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
  }

  expect_failures = [data.aws_s3_object.plugin]
}

run "an_archive_without_a_checksum_is_refused" {
  command = plan

  module {
    source = "./modules/kafka_mirror"
  }

  override_data {
    target = data.aws_s3_object.plugin
    values = { checksum_sha256 = "" }
  }

  expect_failures = [data.aws_s3_object.plugin]
}
