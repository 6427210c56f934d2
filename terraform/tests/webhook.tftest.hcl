# Runs and changes by webhook: no Kafka, a queue for each function, one more route.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { repositories = { services = { name = "acme/services" } } }
  run_source    = { mode = "webhook", concurrency = 7, throttle_rate = 11, throttle_burst = 22 }
}

run "each_function_has_a_queue_instead_of_a_topic" {
  command = plan

  assert {
    condition     = length(module.kafka_trigger) == 0 && output.kafka == null && length(output.topics) == 0 && !contains(keys(output.secrets), "kafka")
    error_message = "The stack has no mapping of Kafka."
  }

  assert {
    condition     = toset(keys(module.queue_trigger)) == toset(concat(keys(local.actions), ["approval", "health_checker"]))
    error_message = "Each function that would read a topic has a queue."
  }

  assert {
    condition     = local.queue_names["approval"] == "slipway-approval" && local.queue_names["health_checker"] == "slipway-health_checker.fifo"
    error_message = "Changes of entities stay in order."
  }

  assert {
    condition     = toset(keys(local.queues.runs)) == toset(concat(keys(local.actions), ["decide_approval", "run_ended"])) && local.queues.entities != null && length(local.queues.dead_letters) == length(module.queue_trigger)
    error_message = "Every action, and the change log, has a queue."
  }

  assert {
    condition     = jsondecode(aws_s3_object.queues.content).runs == jsondecode(jsonencode(local.queues.runs)) && aws_s3_object.queues.key == "policy/queues.json"
    error_message = "The functions receive the queues."
  }

  assert {
    condition     = output.port_setup.RUN_SOURCE == "webhook" && endswith(output.port_setup.WEBHOOK_URL, "/live/port/webhook") && output.webhook_url == output.port_setup.WEBHOOK_URL
    error_message = "The output `port_setup` has the webhook's address."
  }
}

run "the_receiving_function_may_write_only_to_queues" {
  command = plan

  assert {
    condition = toset(flatten([for grant in local.functions["receive_webhook"].grants : [for statement in local.grants[grant] : statement.actions]])) == toset([
      "kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:PutObject", "secretsmanager:GetSecretValue", "sqs:SendMessage",
    ])
    error_message = "It may read Port's secret and the queues' URLs, and write messages."
  }

  assert {
    condition     = toset(one([for statement in local.grants["queue"] : statement.resources if statement.sid == "QueueMessages"])) == toset([for name in values(local.queue_names) : "arn:aws:sqs:eu-west-1:111122223333:${name}"])
    error_message = "It may write to the functions' queues, but not to the dead-letter queues."
  }

  assert {
    condition     = keys(local.callers["receive_webhook"]) == ["api"] && endswith(local.callers["receive_webhook"].api.source_arn, "/live/POST/port/webhook")
    error_message = "One route calls it."
  }

  assert {
    condition     = length(keys(module.function["receive_webhook"])) > 0 && local.function_environments["receive_webhook"].PORT_SECRET_ID != ""
    error_message = "It receives the secret's name."
  }
}

run "kafka_has_no_queue_and_no_webhook" {
  command = plan

  variables {
    run_source = {}
  }

  assert {
    condition     = length(module.queue_trigger) == 0 && !contains(keys(module.function), "receive_webhook") && output.webhook_url == null
    error_message = "With Kafka, mappings read topics."
  }

  assert {
    condition     = jsondecode(aws_s3_object.queues.content) == { runs = {}, entities = null, dead_letters = {} }
    error_message = "The sweep receives no dead-letter queues."
  }
}

run "a_queue_bounds_its_retries" {
  command = plan

  module {
    source = "./modules/queue_trigger"
  }

  variables {
    account                  = { id = "111122223333", region = "eu-west-1", partition = "aws" }
    queue_name               = "slipway-health_checker.fifo"
    batch_size               = 100
    concurrency              = 7
    maximum_receives         = 3
    function_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-health_checker:live"
    function_role_name       = "slipway-health_checker"
    function_timeout_seconds = 60
  }

  assert {
    condition     = aws_sqs_queue.messages.visibility_timeout_seconds == 360 && jsondecode(aws_sqs_queue.messages.redrive_policy).maxReceiveCount == 3
    error_message = "The visibility timeout is six times the function's time-out, and a message is tried three times."
  }

  assert {
    condition     = aws_sqs_queue.messages.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled && aws_sqs_queue.messages.fifo_queue && aws_sqs_queue.dead_letters.fifo_queue
    error_message = "Both queues are encrypted and FIFO."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.name == "slipway-health_checker-failed.fifo" && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "The dead-letter queue has the longest retention of SQS."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 10 && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"]) && one(aws_lambda_event_source_mapping.this.scaling_config).maximum_concurrency == 7
    error_message = "The mapping reads partial batch responses, and limits concurrent invocations."
  }

  assert {
    condition     = data.aws_iam_policy_document.this.statement[0].resources == toset(["arn:aws:sqs:eu-west-1:111122223333:slipway-health_checker.fifo"]) && !contains(flatten([for statement in data.aws_iam_policy_document.this.statement : statement.actions]), "sqs:SendMessage")
    error_message = "The function's role may read its own queue, but not write to a queue."
  }

  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.queue : one([for condition in document.statement[0].condition : condition.variable]) == "aws:SecureTransport"])
    error_message = "Both queues require TLS."
  }
}

run "the_webhook_has_its_own_throttle" {
  command = plan

  module {
    source = "./modules/reports"
  }

  variables {
    name_prefix    = "slipway"
    invocation_uri = "arn:aws:apigateway:eu-west-1:lambda:path/reports"
    throttle_rate  = 20
    throttle_burst = 40
    webhook        = { invocation_uri = "arn:aws:apigateway:eu-west-1:lambda:path/webhook", throttle_rate = 11, throttle_burst = 22 }
    base_url       = null
    key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/k"
    logs           = { prefix = "/aws", retention_days = 90 }
  }

  assert {
    condition     = aws_api_gateway_method_settings.webhook[0].method_path == "port/webhook/POST" && one(aws_api_gateway_method_settings.webhook[0].settings).throttling_rate_limit == 11 && one(aws_api_gateway_method_settings.webhook[0].settings).throttling_burst_limit == 22
    error_message = "Each route has its own throttle."
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.webhook[0].settings).logging_level == "OFF" && !one(aws_api_gateway_method_settings.webhook[0].settings).data_trace_enabled
    error_message = "Logs do not contain signatures or bodies."
  }

  assert {
    condition     = aws_api_gateway_method.webhook[0].http_method == "POST" && aws_api_gateway_integration.webhook[0].uri == var.webhook.invocation_uri
    error_message = "POST /port/webhook calls the function's alias."
  }
}

run "values_that_sqs_or_lambda_refuses_are_refused" {
  command = plan

  module {
    source = "./modules/queue_trigger"
  }

  variables {
    account                  = { id = "111122223333", region = "eu-west-1", partition = "aws" }
    queue_name               = "slipway health"
    batch_size               = 0
    concurrency              = 1
    maximum_receives         = 3
    function_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"
    function_role_name       = "slipway-approval"
    function_timeout_seconds = 7201
  }

  expect_failures = [var.queue_name, var.batch_size, var.concurrency, var.function_timeout_seconds]
}
