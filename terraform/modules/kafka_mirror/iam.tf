data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["kafkaconnect.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}${var.roles.suffix}"
  description          = "MSK Connect: mirror of Port's topics"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary_arn
}

locals {
  topic_arn = replace(var.target.cluster_arn, ":cluster/", ":topic/")
  group_arn = replace(var.target.cluster_arn, ":cluster/", ":group/")
  # Kafka Connect's own, whose names MSK Connect chooses.
  # https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-service-execution-role.html
  own = "__amazon_msk_connect_*"
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "SignInToCluster"
    actions   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:WriteDataIdempotently"]
    resources = [var.target.cluster_arn]
  }

  statement {
    # The mirror does not create topics: MirrorMaker would read the topic's configuration at Port,
    # which Port does not allow. scripts/topics creates them.
    sid = "WriteMirroredTopics"
    actions = [
      "kafka-cluster:AlterTopic",
      "kafka-cluster:DescribeTopic",
      "kafka-cluster:DescribeTopicDynamicConfiguration",
      "kafka-cluster:WriteData",
    ]
    resources = [for topic in var.topics : "${local.topic_arn}/${topic}"]
  }

  statement {
    sid = "KeepOwnTopics"
    actions = [
      "kafka-cluster:CreateTopic",
      "kafka-cluster:DescribeTopic",
      "kafka-cluster:DescribeTopicDynamicConfiguration",
      "kafka-cluster:ReadData",
      "kafka-cluster:WriteData",
    ]
    resources = ["${local.topic_arn}/${local.own}", "${local.topic_arn}/mm2-offset-syncs.port.internal"]
  }

  statement {
    sid       = "KeepOwnGroups"
    actions   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
    resources = ["${local.group_arn}/${local.own}", "${local.group_arn}/connect-${var.name}*"]
  }

  statement {
    sid       = "ReadSourceSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.secret.arn]
  }

  statement {
    sid       = "DecryptSourceSecret"
    actions   = ["kms:Decrypt"]
    resources = [var.secret.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.account.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "mirror"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
