# Permissions of Lambda itself with the function's role: sign in, read the topic, store failed
# records. Every sid begins with "EventSource", because the function's code uses none of them.
data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.scram ? [var.secret.arn] : []

    content {
      sid       = "EventSourceReadKafkaSecret"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = local.scram ? [var.secret.key_arn] : []

    content {
      sid       = "EventSourceDecryptKafkaSecret"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.account.region}.amazonaws.com"]
      }
    }
  }

  statement {
    sid       = "EventSourceStoreFailedRecords"
    actions   = ["s3:PutObject"]
    resources = ["${var.failed_records.bucket_arn}/aws/lambda/*"]
  }

  statement {
    sid       = "EventSourceFindFailedRecordsBucket"
    actions   = ["s3:ListBucket"]
    resources = [var.failed_records.bucket_arn]
  }

  statement {
    sid       = "EventSourceEncryptFailedRecords"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.failed_records.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.account.region}.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = local.external ? [] : [var.source_cluster.cluster_arn]

    content {
      sid       = "EventSourceFindCluster"
      actions   = concat(["kafka:DescribeClusterV2"], local.scram ? ["kafka:ListScramSecrets"] : [])
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = local.external ? [] : [true]

    content {
      sid     = "EventSourceFindBrokers"
      actions = ["kafka:GetBootstrapBrokers"]
      # IAM has no resource type for it.
      # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmanagedstreamingforapachekafka.html
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.external ? [] : [true]

    content {
      sid = "EventSourceJoinNetwork"
      actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ]
      # The interfaces do not exist yet, and EC2's Describe calls have no resource types.
      resources = ["*"]

      # Not for the function's code: calls that Lambda makes for an event source have no source function.
      # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
      condition {
        test     = "Null"
        variable = "lambda:SourceFunctionArn"
        values   = ["true"]
      }
    }
  }

  dynamic "statement" {
    for_each = local.scram ? [] : [var.source_cluster.cluster_arn]

    content {
      sid = "EventSourceReadTopic"
      actions = [
        "kafka-cluster:AlterGroup",
        "kafka-cluster:Connect",
        "kafka-cluster:DescribeClusterDynamicConfiguration",
        "kafka-cluster:DescribeGroup",
        "kafka-cluster:DescribeTopic",
        "kafka-cluster:ReadData",
      ]
      # https://docs.aws.amazon.com/service-authorization/latest/reference/list_apachekafkaapisforamazonmskclusters.html
      resources = [
        statement.value,
        "${replace(statement.value, ":cluster/", ":topic/")}/${var.topic}",
        "${replace(statement.value, ":cluster/", ":group/")}/${var.consumer_group_id}",
      ]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "kafka-${var.name}"
  role   = var.function_role_name
  policy = data.aws_iam_policy_document.this.json
}
