mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name       = "slipway-deliver_later"
  runs_table = { name = "slipway-runs", arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-runs" }
  records_bucket = {
    name    = "records"
    arn     = "arn:aws:s3:::records"
    key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  function_alias_arns      = ["arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live"]
  function_timeout_seconds = 120
  log_retention_days       = 90
  permissions_boundary_arn = null
}

run "every_task_is_bounded_repeated_and_caught" {
  command = plan

  module {
    source = "./modules/deliver_later"
  }

  assert {
    condition = alltrue([
      for state in jsondecode(aws_sfn_state_machine.this.definition).States :
      can(state.TimeoutSeconds) && can(state.Retry[0]) && can(state.Catch[0]) if state.Type == "Task"
    ])
    error_message = "TimeoutSeconds, Retry and Catch on each task."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Deliver"].TimeoutSeconds > 120
    error_message = "The function is given its own time."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Deliver"].Parameters.Payload == { schema_version = 1, deliver = { "run_id.$" = "$.run_id" } }
    error_message = "The payload is what the functions read."
  }

  assert {
    condition     = [for rule in jsondecode(aws_sfn_state_machine.this.definition).States["Deliver"].Catch : rule.Next] == ["Hold record"]
    error_message = "A run that cannot be delivered is held."
  }

  assert {
    condition     = !strcontains(aws_sfn_state_machine.this.definition, "NoSuchKey")
    error_message = "S3 answers 403 for a record that is not there: the role may not list, so no rule can tell the two apart."
  }

  assert {
    condition     = aws_sfn_state_machine.this.tracing_configuration[0].enabled && aws_sfn_state_machine.this.logging_configuration[0].level == "ALL"
    error_message = "Executions are logged and traced."
  }
}

run "the_role_calls_our_functions_only_and_writes_only_held_records" {
  command = plan

  module {
    source = "./modules/deliver_later"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : tolist(statement.resources) if contains(statement.actions, "lambda:InvokeFunction")
    ] == [tolist(["arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live"])]
    error_message = "Only the aliases of this stack can be called, whatever a row names."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : tolist(statement.resources) if contains(statement.actions, "s3:PutObject")
    ] == [tolist(["arn:aws:s3:::records/held/*"])]
    error_message = "Only held records can be written."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.this.statement : statement.sid if contains(statement.resources, "*")] == ["WriteLog", "WriteTraces"]
    error_message = "Only what knows no resource is granted on all."
  }
}
