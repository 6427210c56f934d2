locals {
  fifo = endswith(var.queue_name, ".fifo")
  # A FIFO queue needs a FIFO dead-letter queue.
  dead_letters_name = "${trimsuffix(var.queue_name, ".fifo")}-failed${local.fifo ? ".fifo" : ""}"

  # Composed from the names, because a queue's policy contains the queue's ARN.
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

  # AWS's recommendation, so that Lambda can retry throttled invocations.
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibility_timeout_seconds = 6 * var.function_timeout_seconds

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.maximum_receives
  })
}

# Lambda itself uses these rights of the function's role. Each sid begins with "EventSource", because the function's code
# does not use them.
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
  batch_size              = min(var.batch_size, 10) # the maximum for a FIFO queue
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.concurrency
  }

  # Lambda checks the role when it creates the mapping.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    # So that an apply does not resume a paused function.
    ignore_changes = [enabled]
  }
}
