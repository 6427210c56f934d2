mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account                  = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name                     = "slipway-example"
  role_name                = "slipway-example-machine"
  template                 = "./modules/approval/definition.asl.json"
  values                   = { function = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live" }
  retryable_errors         = ["PortUnavailable"]
  function_timeout_seconds = 120
  logs_data                = false
  on_stop                  = { sweep_alias_arn = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live" }
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/k"
  logs                     = { prefix = "/aws", retention_days = 90 }
  roles                    = { path = "/", suffix = "", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
  statements = [
    { sid = "TakeSteps", actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live"] },
    {
      sid        = "UseKey"
      actions    = ["kms:Decrypt"]
      resources  = ["arn:aws:kms:eu-west-1:111122223333:key/k"]
      conditions = [{ test = "StringEquals", variable = "kms:ViaService", values = ["s3.eu-west-1.amazonaws.com"] }]
    },
  ]
}

run "the_definition_has_the_retry_policy_of_all_machines" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition = [for rule in jsondecode(output.definition).States.Begin.Retry : rule.ErrorEquals] == [
      ["PortUnavailable"],
      ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"],
      ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"],
      ["States.TaskFailed"],
    ]
    error_message = "Temporary errors come first, and all others last."
  }

  assert {
    # With full jitter a pause is half as long on average.
    condition = sum([
      for attempt in range(jsondecode(output.definition).States.Begin.Retry[0].MaxAttempts) :
      min(jsondecode(output.definition).States.Begin.Retry[0].MaxDelaySeconds, jsondecode(output.definition).States.Begin.Retry[0].IntervalSeconds * pow(jsondecode(output.definition).States.Begin.Retry[0].BackoffRate, attempt))
    ]) / 2 > 3600
    error_message = "Retries of a step last longer than GitHub's hourly rate limit."
  }

  assert {
    condition     = jsondecode(output.definition).States.Begin.TimeoutSeconds == 150
    error_message = "Lambda's time-out is reached before the task's."
  }
}

run "executions_are_logged_and_traced" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition     = !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data && aws_sfn_state_machine.this.logging_configuration[0].level == "ALL"
    error_message = "The log has every state, but without data if that contains task tokens."
  }

  assert {
    condition     = aws_sfn_state_machine.this.tracing_configuration[0].enabled && startswith(aws_cloudwatch_log_group.this.name, "/aws/vendedlogs/") && aws_cloudwatch_log_group.this.kms_key_id == var.key_arn
    error_message = "Executions are traced, and their encrypted log has the prefix that CloudWatch's policy already allows."
  }
}

run "the_role_has_its_statements_and_no_more" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement : statement.sid => [one(statement.resources), length(statement.condition)]
      } == {
      TakeSteps   = ["arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live", 0]
      UseKey      = ["arn:aws:kms:eu-west-1:111122223333:key/k", 1]
      WriteLog    = ["*", 0]
      WriteTraces = ["*", 0]
    }
    error_message = "Only log deliveries and traces, which do not support resources, are granted on all."
  }

  assert {
    condition     = aws_iam_role.this.name == "slipway-example-machine" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The role has the boundary."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.assume.statement[0].condition).variable == "aws:SourceAccount"
    error_message = "Only Step Functions of this account assumes it."
  }
}

run "a_statement_on_everything_is_refused" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    statements = [{ sid = "Everything", actions = ["lambda:InvokeFunction"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}

run "the_sweep_is_called_for_executions_that_stopped" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.stopped[0].event_pattern) == {
      source      = ["aws.states"]
      detail-type = ["Step Functions Execution Status Change"]
      detail      = { stateMachineArn = [aws_sfn_state_machine.this.arn], status = ["ABORTED", "FAILED", "TIMED_OUT"] }
    }
    error_message = "The rule matches all three ways of stopping, for this machine only."
  }

  assert {
    condition     = aws_cloudwatch_event_target.sweep_runs[0].arn == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live" && aws_cloudwatch_event_target.sweep_runs[0].retry_policy[0].maximum_retry_attempts == 185
    error_message = "EventBridge calls the sweep's alias, with retries."
  }
}

run "without_a_sweep_there_is_no_rule" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    on_stop = null
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.stopped) == 0 && output.stopped_rule_arn == null
    error_message = "No rule and no target is created."
  }
}
