locals {
  arn = var.existing == null ? aws_sns_topic.this[0].arn : var.existing.arn
}

resource "aws_sns_topic" "this" {
  count = var.existing == null ? 1 : 0

  name              = var.name
  kms_master_key_id = var.key_arn
}

data "aws_iam_policy_document" "this" {
  count = var.existing == null ? 1 : 0

  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[0].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
  dynamic "statement" {
    for_each = var.alarms_prefix[*]

    content {
      sid       = "AlarmsOfThisStack"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.this[0].arn]

      principals {
        type        = "Service"
        identifiers = ["cloudwatch.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.account.id]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = ["arn:${var.account.partition}:cloudwatch:${var.account.region}:${var.account.id}:alarm:${statement.value}-*"]
      }
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  count = var.existing == null ? 1 : 0

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.this[0].json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn           = local.arn
  protocol            = "email"
  endpoint            = each.value
  filter_policy_scope = var.recipient_attribute == null ? null : "MessageAttributes"
  filter_policy       = var.recipient_attribute == null ? null : jsonencode({ (var.recipient_attribute) = [each.value] })
}
