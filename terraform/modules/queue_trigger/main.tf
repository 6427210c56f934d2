locals {
  fifo = endswith(var.queue_name, ".fifo")
  # The dead-letter queue of an ordered one must be ordered, too.
  dead_letters_name = "${trimsuffix(var.queue_name, ".fifo")}-failed${local.fifo ? ".fifo" : ""}"

  # Composed: a queue's policy names the queue.
  arns = {
    for key, name in { messages = var.queue_name, dead_letters = local.dead_letters_name } :
    key => "arn:${var.account.partition}:sqs:${var.account.region}:${var.account.id}:${name}"
  }
}

data "aws_iam_policy_document" "queue" {
  for_each = local.arns

  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

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

resource "aws_sqs_queue" "dead_letters" {
  name                      = local.dead_letters_name
  fifo_queue                = local.fifo
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
  policy                    = data.aws_iam_policy_document.queue["dead_letters"].json
}

resource "aws_sqs_queue" "messages" {
  name                      = var.queue_name
  fifo_queue                = local.fifo
  max_message_size          = 256 * 1024
  message_retention_seconds = 4 * 24 * 3600
  sqs_managed_sse_enabled   = true
  policy                    = data.aws_iam_policy_document.queue["messages"].json

  # So that Lambda can repeat what it could not invoke at once.
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibility_timeout_seconds = 6 * var.function_timeout_seconds

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.maximum_receives
  })
}

# What Lambda itself does with the function's role. Every sid begins with "EventSource", because the function's code uses
# none of them.
data "aws_iam_policy_document" "this" {
  statement {
    sid       = "EventSourceReceiveMessages"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [local.arns["messages"]]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "queue"
  role   = var.function_role_name
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_event_source_mapping" "this" {
  function_name           = var.function_alias_arn
  event_source_arn        = aws_sqs_queue.messages.arn
  batch_size              = min(var.batch_size, 10) # the most that an ordered queue gives
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.concurrency
  }

  # Lambda tries the role when the mapping is made.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    # So that a paused function stays paused over an apply.
    ignore_changes = [enabled]
  }
}
