locals {
  queue_name = "${var.name_prefix}-failed-records"
  # Composed: the queue's policy names the queue, and as a separate resource the provider would wait
  # for SQS a second time. It already waits for 25 s, so nothing else waits for it.
  queue_arn = "arn:${var.account.partition}:sqs:${var.account.region}:${var.account.id}:${local.queue_name}"
}

# Each failed record has a message here until an operator settles it.
resource "aws_sqs_queue" "failed_records" {
  name                      = local.queue_name
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
  policy                    = data.aws_iam_policy_document.failed_records.json
}

data "aws_iam_policy_document" "failed_records" {
  statement {
    sid       = "NoticesOfTheBucket"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${var.account.partition}:s3:::${local.bucket_name}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }
  }

  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.queue_arn]

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
}

resource "aws_s3_bucket_notification" "records" {
  bucket = local.buckets.records.name

  dynamic "queue" {
    for_each = local.failed_prefixes

    content {
      id            = queue.key
      queue_arn     = aws_sqs_queue.failed_records.arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value
    }
  }
}
