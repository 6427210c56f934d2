mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account    = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name       = "slipway-deliver_later"
  runs_table = { name = "slipway-runs", arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-runs" }
  records_bucket = {
    name    = "records"
    arn     = "arn:aws:s3:::records"
    key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/k"
  function_alias_arns      = ["arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live"]
  function_timeout_seconds = 120
  logs                     = { prefix = "/aws", retention_days = 90 }
  roles                    = { path = "/", suffix = "", permissions_boundary_arn = null }
}

run "every_task_has_time_out_retry_and_catch" {
  command = plan

  module {
    source = "./modules/deliver_later"
  }

  assert {
    condition = alltrue([
      for state in jsondecode(module.machine.definition).States :
      can(state.TimeoutSeconds) && can(state.Retry[0]) && can(state.Catch[0]) if state.Type == "Task"
    ])
    error_message = "TimeoutSeconds, Retry and Catch on each task."
  }

  assert {
    condition     = jsondecode(module.machine.definition).States["Deliver"].TimeoutSeconds > 120
    error_message = "The task's time-out is the function's."
  }

  assert {
    condition     = jsondecode(module.machine.definition).States["Deliver"].Parameters.Payload == { schema_version = 1, deliver = { "run_id.$" = "$.run_id" } }
    error_message = "The payload has the form that the functions read."
  }

  assert {
    condition     = [for rule in jsondecode(module.machine.definition).States["Deliver"].Catch : rule.Next] == ["Hold record"]
    error_message = "A run that cannot be delivered is put on hold."
  }

  assert {
    condition     = !strcontains(module.machine.definition, "NoSuchKey")
    error_message = "A missing record is an access error: S3 answers 403 to a role that may not list."
  }

  assert {
    condition = { for statement in module.machine.statements : statement.sid => one(statement.resources) } == {
      ReadRun         = "arn:aws:dynamodb:eu-west-1:111122223333:table/slipway-runs"
      Deliver         = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-example:live"
      ReadRecord      = "arn:aws:s3:::records/later/*"
      HoldRecord      = "arn:aws:s3:::records/held/*"
      UseKeyOfRecords = "arn:aws:kms:eu-west-1:111122223333:key/k"
      WriteLog        = "*"
      WriteTraces     = "*"
    }
    error_message = "The role may call only this stack's aliases, and write only to `held/`."
  }
}
