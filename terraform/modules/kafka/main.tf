locals {
  provisioned = var.settings.type == "provisioned"
}

resource "aws_msk_serverless_cluster" "this" {
  count = local.provisioned ? 0 : 1

  cluster_name = var.name

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [var.security_group_id]
  }

  client_authentication {
    sasl {
      iam {
        enabled = true
      }
    }
  }
}

resource "aws_msk_cluster" "this" {
  count = local.provisioned ? 1 : 0

  cluster_name           = var.name
  kafka_version          = var.settings.kafka_version
  number_of_broker_nodes = length(var.subnet_ids) * var.settings.brokers_per_zone

  broker_node_group_info {
    instance_type   = var.settings.broker_instance_type
    client_subnets  = var.subnet_ids
    security_groups = [var.security_group_id]

    storage_info {
      ebs_storage_info {
        volume_size = var.settings.volume_gib
      }
    }
  }

  # Both: topics and access lists are administered by IAM, whatever the readers use.
  client_authentication {
    sasl {
      iam   = true
      scram = true
    }
  }

  # Volumes are encrypted under MSK's own key.
  encryption_info {
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.this[0].arn
    revision = aws_msk_configuration.this[0].latest_revision
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.brokers[0].name
      }
    }
  }
}

resource "aws_msk_configuration" "this" {
  count = local.provisioned ? 1 : 0

  name           = var.name
  kafka_versions = [var.settings.kafka_version]

  # A topic that does not exist is a fault to be seen, and a user without an access list has no access.
  server_properties = <<-EOT
    allow.everyone.if.no.acl.found = false
    auto.create.topics.enable = false
    default.replication.factor = 3
    min.insync.replicas = 2
    unclean.leader.election.enable = false
  EOT
}

resource "aws_cloudwatch_log_group" "brokers" {
  count = local.provisioned ? 1 : 0

  name              = "/aws/msk/${var.name}"
  retention_in_days = var.log_retention_days
}
