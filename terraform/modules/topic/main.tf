resource "aws_sns_topic" "this" {
  name              = var.name
  kms_master_key_id = var.key_arn
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

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
      resources = [aws_sns_topic.this.arn]

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
  arn    = aws_sns_topic.this.arn
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn           = aws_sns_topic.this.arn
  protocol            = "email"
  endpoint            = each.value
  filter_policy_scope = var.recipient_attribute == null ? null : "MessageAttributes"
  filter_policy       = var.recipient_attribute == null ? null : jsonencode({ (var.recipient_attribute) = [each.value] })
}
