locals {
  # References that the workers resolve, so that the connector's configuration has no credentials.
  # https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-config-provider.html
  credential = { for key in ["username", "password"] : key => "$${secretsmanager:${urlencode(var.secret.arn)}:${key}}" }

  scram_login = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"${local.credential.username}\" password=\"${local.credential.password}\";"

  bytes = "org.apache.kafka.connect.converters.ByteArrayConverter"
}

# The archive's code gets Port's Kafka credentials, so it must be the uploaded one. S3 computes the
# checksum itself.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
data "aws_s3_object" "plugin" {
  bucket        = element(split(":", var.plugin.bucket_arn), -1)
  key           = var.plugin.key
  version_id    = var.plugin.version
  checksum_mode = "ENABLED"

  lifecycle {
    postcondition {
      condition     = self.checksum_sha256 == var.plugin.sha256
      error_message = "The archive ${var.plugin.key} has the SHA-256 checksum \"${self.checksum_sha256}\", not \"${var.plugin.sha256}\". Find out who changed it. Without a checksum, or with one that ends in \"-<parts>\", upload it again by aws s3api put-object --checksum-algorithm SHA256."
    }
  }
}

# https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-plugins.html
resource "aws_mskconnect_custom_plugin" "this" {
  name         = var.name
  description  = "MirrorMaker 2 and the Secrets Manager configuration provider"
  content_type = "ZIP"

  location {
    s3 {
      bucket_arn     = var.plugin.bucket_arn
      file_key       = data.aws_s3_object.plugin.key # after its check
      object_version = var.plugin.version
    }
  }
}

resource "aws_mskconnect_worker_configuration" "this" {
  name        = var.name
  description = "Unchanged records, and secrets by reference"

  properties_file_content = <<-EOT
    key.converter=${local.bytes}
    value.converter=${local.bytes}
    config.providers=secretsmanager
    config.providers.secretsmanager.class=com.amazonaws.kafka.config.providers.SecretsManagerConfigProvider
    config.providers.secretsmanager.param.region=${var.account.region}
  EOT
}

resource "aws_mskconnect_connector" "this" {
  name                 = var.name
  description          = "Mirrors ${join(" and ", var.topics)}"
  kafkaconnect_version = "3.7.x"

  # https://kafka.apache.org/37/documentation.html#mirrormakerconfigs
  connector_configuration = {
    "connector.class" = "org.apache.kafka.connect.mirror.MirrorSourceConnector"
    "tasks.max"       = "1"
    # Restart the connector after a change of the password: the workers keep a secret for their
    # lifetime.
    "config.action.reload" = "none"

    "source.cluster.alias"             = "port"
    "source.cluster.bootstrap.servers" = join(",", var.source_servers)
    "source.cluster.security.protocol" = "SASL_SSL"
    "source.cluster.sasl.mechanism"    = "SCRAM-SHA-512"
    "source.cluster.sasl.jaas.config"  = local.scram_login

    "target.cluster.alias"                              = "msk"
    "target.cluster.bootstrap.servers"                  = var.target.bootstrap_servers
    "target.cluster.security.protocol"                  = "SASL_SSL"
    "target.cluster.sasl.mechanism"                     = "AWS_MSK_IAM"
    "target.cluster.sasl.jaas.config"                   = "software.amazon.msk.auth.iam.IAMLoginModule required;"
    "target.cluster.sasl.client.callback.handler.class" = "software.amazon.msk.auth.iam.IAMClientCallbackHandler"

    "topics"                   = join(",", [for topic in var.topics : replace(topic, ".", "\\.")])
    "replication.policy.class" = "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"
    # -1: the cluster's own default.
    "replication.factor" = "-1"
    # Runs from before the mirror are not copied.
    "consumer.auto.offset.reset" = "latest"

    "key.converter"    = local.bytes
    "value.converter"  = local.bytes
    "header.converter" = local.bytes

    # Port lets its customers only read their topics.
    "offset-syncs.topic.location"           = "target"
    "offset-syncs.topic.replication.factor" = "-1"
    "sync.topic.configs.enabled"            = "false"
    "sync.topic.acls.enabled"               = "false"
    "emit.heartbeats.enabled"               = "false"
    "emit.checkpoints.enabled"              = "false"
  }

  kafka_cluster {
    apache_kafka_cluster {
      bootstrap_servers = var.target.bootstrap_servers

      vpc {
        subnets         = var.network.subnet_ids
        security_groups = [var.network.security_group_id, aws_security_group.mirror.id]
      }
    }
  }

  kafka_cluster_client_authentication {
    authentication_type = "IAM"
  }

  kafka_cluster_encryption_in_transit {
    encryption_type = "TLS"
  }

  capacity {
    provisioned_capacity {
      mcu_count    = 1
      worker_count = 1
    }
  }

  plugin {
    custom_plugin {
      arn      = aws_mskconnect_custom_plugin.this.arn
      revision = aws_mskconnect_custom_plugin.this.latest_revision
    }
  }

  worker_configuration {
    arn      = aws_mskconnect_worker_configuration.this.arn
    revision = aws_mskconnect_worker_configuration.this.latest_revision
  }

  log_delivery {
    worker_log_delivery {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.this.name
      }
    }
  }

  service_execution_role_arn = aws_iam_role.this.arn

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "${var.logs.prefix}/mskconnect/${var.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}

# Besides the brokers' own group: the route to Port's brokers and to Secrets Manager, through NAT.
resource "aws_security_group" "mirror" {
  name        = var.name
  description = "Mirror of the topics of Port"
  vpc_id      = var.network.vpc_id

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_egress_rule" "out" {
  for_each = { port = { port = var.source_port, to = "Brokers of Port" }, aws = { port = 443, to = "Secrets Manager" } }

  description       = each.value.to
  security_group_id = aws_security_group.mirror.id
  cidr_ipv4         = "0.0.0.0/0" # addresses of both change
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}
