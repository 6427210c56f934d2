locals {
  provisioned = var.provisioned_pollers != null

  external = var.source_cluster.mode == "external"
  scram    = var.source_cluster.authentication == "SCRAM"
}

resource "aws_lambda_event_source_mapping" "this" {
  function_name     = var.function_alias_arn
  topics            = [var.topic]
  starting_position = var.starting_position

  batch_size = var.batch_size

  event_source_arn = local.external ? null : var.source_cluster.cluster_arn

  dynamic "self_managed_event_source" {
    for_each = local.external ? [var.source_cluster.bootstrap_servers] : []

    content {
      endpoints = { KAFKA_BOOTSTRAP_SERVERS = join(",", self_managed_event_source.value) }
    }
  }

  dynamic "self_managed_kafka_event_source_config" {
    for_each = local.external ? [var.consumer_group_id] : []

    content {
      consumer_group_id = self_managed_kafka_event_source_config.value
    }
  }

  dynamic "amazon_managed_kafka_event_source_config" {
    for_each = local.external ? [] : [var.consumer_group_id]

    content {
      consumer_group_id = amazon_managed_kafka_event_source_config.value
    }
  }

  # Without it, Lambda signs in to MSK by IAM.
  dynamic "source_access_configuration" {
    for_each = local.scram ? [var.secret.arn] : []

    content {
      type = "SASL_SCRAM_512_AUTH"
      uri  = source_access_configuration.value
    }
  }

  filter_criteria {
    dynamic "filter" {
      for_each = var.filters

      content {
        pattern = jsonencode({ value = filter.value })
      }
    }
  }

  # S3 receives whole records; SQS and SNS would only receive their offsets.
  destination_config {
    on_failure {
      destination_arn = var.failed_records.bucket_arn
    }
  }

  dynamic "provisioned_poller_config" {
    for_each = var.provisioned_pollers[*]

    content {
      minimum_pollers = provisioned_poller_config.value.min
      maximum_pollers = provisioned_poller_config.value.max
    }
  }

  # The error controls. Lambda has all four in provisioned mode only.
  # https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
  function_response_types        = local.provisioned ? ["ReportBatchItemFailures"] : null
  maximum_retry_attempts         = one(var.provisioned_pollers[*].maximum_retry_attempts)
  maximum_record_age_in_seconds  = one(var.provisioned_pollers[*].maximum_record_age_seconds)
  bisect_batch_on_function_error = one(var.provisioned_pollers[*].bisect_batch_on_error)

  # Lambda tests the role when the mapping is created.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    # So that an apply does not resume a paused function.
    ignore_changes       = [enabled]
    replace_triggered_by = [terraform_data.mode]
  }
}

# A change of mode replaces the mapping, because an update to on-demand keeps error controls. The
# provider reads them into its state and does not send them again. The consumer group keeps the
# offsets.
resource "terraform_data" "mode" {
  input = local.provisioned ? "provisioned" : "on_demand"
}
