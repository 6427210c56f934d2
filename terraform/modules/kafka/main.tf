locals {
  provisioned = var.settings.type == "provisioned"
  brokers     = length(var.subnet_ids) * var.settings.brokers_per_zone

  # The brokers' default, which the mirror and scripts/topics use: topics do not override it.
  replication_factor = min(3, local.brokers)
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
  number_of_broker_nodes = local.brokers

  broker_node_group_info {
    instance_type   = var.settings.broker_instance_type
    client_subnets  = var.subnet_ids
    security_groups = [var.security_group_id]

    connectivity_info {
      public_access {
        type = "DISABLED"
      }
    }

    storage_info {
      ebs_storage_info {
        volume_size = var.settings.volume_gib
      }
    }
  }

  # IAM in any case: it administers topics and access lists, and the mirror writes with it.
  client_authentication {
    sasl {
      iam   = true
      scram = var.authentication == "SCRAM"
    }
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = var.key_arn

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

  lifecycle {
    # Volumes grow automatically, and never shrink.
    ignore_changes = [broker_node_group_info[0].storage_info[0].ebs_storage_info[0].volume_size]
  }
}

# https://docs.aws.amazon.com/msk/latest/developerguide/msk-autoexpand.html
resource "aws_appautoscaling_target" "storage" {
  count = local.provisioned && var.storage_scaling ? 1 : 0

  service_namespace  = "kafka"
  scalable_dimension = "kafka:broker-storage:VolumeSize"
  resource_id        = aws_msk_cluster.this[0].arn
  min_capacity       = 1 # MSK's own minimum is the volume's size
  max_capacity       = var.settings.volume_gib_max
}

resource "aws_appautoscaling_policy" "storage" {
  count = local.provisioned && var.storage_scaling ? 1 : 0

  name               = "${var.name}-broker-storage"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.storage[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.storage[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.storage[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value     = 60 # percent that are used
    disable_scale_in = true

    predefined_metric_specification {
      predefined_metric_type = "KafkaBrokerStorageUtilization"
    }
  }
}

resource "aws_msk_configuration" "this" {
  count = local.provisioned ? 1 : 0

  # The provider replaces a configuration whose versions change, and MSK refuses to delete one in use.
  # With the version in its name, the new one can exist beside the current one.
  # https://github.com/hashicorp/terraform-provider-aws/issues/15831
  name           = "${var.name}-${replace(var.settings.kafka_version, ".", "-")}"
  kafka_versions = [var.settings.kafka_version]

  # A missing topic is an error that must be visible, and a user without an access list has no
  # access.
  server_properties = <<-EOT
    allow.everyone.if.no.acl.found = false
    auto.create.topics.enable = false
    default.replication.factor = ${local.replication_factor}
    min.insync.replicas = ${max(1, local.replication_factor - 1)}
    unclean.leader.election.enable = false
  EOT

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "brokers" {
  count = local.provisioned ? 1 : 0

  name              = "${var.logs.prefix}/msk/${var.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}
