mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  logs          = { prefix = "/aws", retention_days = 90 }
  name          = "example"
  folder        = "archive"
  function_name = "slipway-example"
  description   = "Opens the pull request for a new service"
  artifact      = { bucket = "slipway-artifacts", key = "example/content.zip" }
  layer_arn     = "arn:aws:lambda:eu-west-1:111122223333:layer:slipway:1"
  settings = {
    architecture    = "arm64"
    memory_mb       = 1024
    timeout_seconds = 120
    log_level       = "INFO"
  }
  key_arn     = "arn:aws:kms:eu-west-1:111122223333:key/slipway"
  environment = { PORT_BASE_URL = "https://api.port.io" }

  metrics_namespace = "Slipway/example"
  statements = [{
    sid       = "KeepLedger"
    actions   = ["dynamodb:GetItem"]
    resources = ["arn:aws:dynamodb:eu-west-1:111122223333:table/runs"]
  }]
  roles = { path = "/", suffix = "", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
}

run "the_function_matches_the_build" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = (
      aws_lambda_function.this.handler == "functions.archive.handler.handler" &&
      aws_lambda_function.this.runtime == "python3.13" &&
      aws_lambda_function.this.architectures == tolist(["arm64"]) &&
      aws_lambda_function.this.s3_bucket == "slipway-artifacts" &&
      aws_lambda_function.this.s3_key == "example/content.zip" &&
      aws_lambda_function.this.publish
    )
    error_message = "Handler, runtime, architecture and code match the build, and a version is published."
  }

  assert {
    condition     = aws_lambda_function.this.filename == null
    error_message = "The provider would create functions with a filename one after the other."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "No concurrency is reserved unless asked for."
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "Invocations are traced."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      PORT_BASE_URL                = "https://api.port.io"
      POWERTOOLS_SERVICE_NAME      = "example"
      POWERTOOLS_LOG_LEVEL         = "INFO"
      POWERTOOLS_METRICS_NAMESPACE = "Slipway/example"
    })
    error_message = "The environment has the given variables and those of Powertools."
  }

  assert {
    condition     = aws_lambda_alias.live.name == "live"
    error_message = "The alias is called live."
  }

  assert {
    condition     = length(aws_lambda_permission.callers) == 0
    error_message = "Only roles may call it unless a service is named."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/slipway-example" && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "The log group has a retention."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == "arn:aws:kms:eu-west-1:111122223333:key/slipway"
    error_message = "The log is encrypted with the stack's key."
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0
    error_message = "No VPC is needed."
  }
}

run "the_role_may_log_trace_and_use_its_grants" {
  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The role has the boundary."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.this.statement : statement.sid] == ["WriteOwnLog", "WriteTraces", "KeepLedger"]
    error_message = "The role may write its log and traces, and has the given grants, but no others."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : statement.sid if contains(coalesce(statement.resources, []), "*")
    ] == ["WriteTraces"]
    error_message = "Only X-Ray, which does not support resources, is granted on all."
  }
}

run "a_grant_on_everything_is_refused" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    statements = [{ sid = "All", actions = ["s3:GetObject"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}

run "an_environment_of_4_kb_is_accepted" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    # Digits, and one character of two bytes.
    environment = { SUBSCRIPTIONS = "ü${format("%0${4096 - 2 - length(jsonencode({ POWERTOOLS_LOG_LEVEL = "INFO", POWERTOOLS_METRICS_NAMESPACE = "Slipway/example", POWERTOOLS_SERVICE_NAME = "example", SUBSCRIPTIONS = "" }))}d", 0)}" }
  }

  assert {
    condition     = local.environment_bytes == 4096
    error_message = "Bytes are counted, not characters."
  }
}

run "an_environment_of_more_than_4_kb_is_refused" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    environment = { SUBSCRIPTIONS = "üü${format("%0${4096 - 2 - length(jsonencode({ POWERTOOLS_LOG_LEVEL = "INFO", POWERTOOLS_METRICS_NAMESPACE = "Slipway/example", POWERTOOLS_SERVICE_NAME = "example", SUBSCRIPTIONS = "" })) - 1}d", 0)}" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_function_can_reserve_concurrency" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    reserved_concurrency = 2
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 2
    error_message = "The function has the configured reservation."
  }
}

run "a_service_may_call_the_alias_for_one_resource" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    callers = { api = { principal = "apigateway.amazonaws.com", source_arn = "arn:aws:execute-api:eu-west-1:111122223333:a/live/*" } }
  }

  assert {
    condition = (
      aws_lambda_permission.callers["api"].qualifier == "live" &&
      aws_lambda_permission.callers["api"].principal == "apigateway.amazonaws.com" &&
      aws_lambda_permission.callers["api"].source_arn == "arn:aws:execute-api:eu-west-1:111122223333:a/live/*"
    )
    error_message = "The service may call the alias only for the given resource."
  }
}

run "only_lambda_changes_a_functions_network_interfaces" {
  module {
    source = "./modules/function"
  }

  variables {
    vpc = { subnet_ids = ["subnet-a", "subnet-b"], security_group_ids = ["sg-a"] }
  }

  assert {
    condition = (
      aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-a", "subnet-b"]) &&
      aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-a"])
    )
    error_message = "The function is in the configured subnets and groups."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : [for condition in statement.condition : [condition.test, condition.variable]]
      if statement.sid == "JoinNetwork"
    ] == [[["Null", "lambda:SourceFunctionArn"]]]
    error_message = "The function's code may not change network interfaces."
  }
}
