mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account                  = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name_prefix              = "slipway"
  function_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-remediation:live"
  probe_function_alias_arn = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-probe_health:live"
  approval_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"
  sweep_alias_arn          = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live"
  function_timeout_seconds = 120
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/k"
  alert_emails             = ["one@acme.example", "two@acme.example"]
  logs                     = { prefix = "/aws", retention_days = 90 }
  alarm_actions            = ["arn:aws:sns:eu-west-1:111122223333:alarms"]
  roles                    = { path = "/", suffix = "", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
}

run "the_machine_runs_the_steps_of_the_functions" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States :
      name => "${split(":", state.Parameters.FunctionName)[6]} ${try(state.Parameters.Payload.step, "")}" if state.Type == "Task"
      } == {
      Decide              = "slipway-remediation decide"
      Probe               = "slipway-probe_health "
      "Note finding"      = "slipway-remediation decide"
      Repair              = "slipway-remediation repair"
      Ask                 = "slipway-approval ask_for_repair"
      "Wait for decision" = "slipway-approval wait_for_repair"
      Remind              = "slipway-approval remind_of_repair"
      Expire              = "slipway-approval expire_repair"
      "Read decision"     = "slipway-approval decided_repair"
      "Note decision"     = "slipway-remediation decide"
      Finish              = "slipway-remediation finish"
    }
    error_message = "Each task is a step of its function."
  }

  assert {
    condition = alltrue([
      for name, state in jsondecode(module.machine.definition).States :
      state.Parameters.Payload.schema_version == 1 && state.Parameters.Payload["execution.$"] == "$.execution" if state.Type == "Task" && name != "Probe"
    ])
    error_message = "Each step receives its execution, so that a stale one stops."
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => state.Parameters.Payload["token.$"] if can(state.Parameters.Payload["token.$"])
    } == { "Wait for decision" = "$$.Task.Token", Remind = "$$.Task.Token" }
    error_message = "Only the two waits receive a task token."
  }

  assert {
    condition     = jsondecode(module.machine.definition).States["Probe"].Parameters == { FunctionName = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-probe_health:live", "Payload.$" = "$.step.details.probe" }
    error_message = "The prober receives only what to probe."
  }

  assert {
    condition = {
      for choice in jsondecode(module.machine.definition).States["Go on"].Choices :
      try(choice.StringEquals, choice.And[0].StringEquals) => choice.Next if can(choice.StringEquals) || can(choice.And)
      } == {
      Probe               = "Probe"
      Wait                = "Wait"
      "Wait for decision" = "Wait for decision"
      Decide              = "Decide"
      Repair              = "Repair"
      Ask                 = "Ask"
      "Note decision"     = "Note decision"
      Finish              = "Finish"
      Done                = "Done"
    }
    error_message = "The functions decide the next state."
  }

  assert {
    condition     = jsondecode(module.machine.definition).States["Go on"].Default == "Stopped" && jsondecode(module.machine.definition).States["Stopped"].Type == "Fail"
    error_message = "An unknown next state fails the execution, so that the service is unlocked."
  }

  assert {
    condition = alltrue(flatten([
      for state in jsondecode(module.machine.definition).States : [
        for next in concat(try([state.Next], []), try([state.Default], []), try(state.Choices[*].Next, []), try(state.Catch[*].Next, [])) :
        contains(keys(jsondecode(module.machine.definition).States), next)
      ]
    ]))
    error_message = "Each next state exists."
  }

  assert {
    condition = toset(flatten([for statement in module.machine.statements : tolist(statement.resources) if statement.sid == "TakeSteps"])) == toset([
      "arn:aws:lambda:eu-west-1:111122223333:function:slipway-remediation:live",
      "arn:aws:lambda:eu-west-1:111122223333:function:slipway-probe_health:live",
      "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live",
    ]) && length(module.machine.statements) == 3
    error_message = "The role may call the live aliases of three functions, and write its log and traces."
  }

  assert {
    condition     = !module.machine.log.has_data
    error_message = "Task tokens are not in the log."
  }

  assert {
    condition     = toset(keys(module.topic.subscriptions)) == toset(["one@acme.example", "two@acme.example"])
    error_message = "The given people are notified of escalated services."
  }
}

run "every_task_has_time_out_retry_and_catch" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition     = jsondecode(module.machine.definition).TimeoutSeconds == 45 * 24 * 3600
    error_message = "The machine has a time-out."
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => state.TimeoutSecondsPath if can(state.TimeoutSecondsPath)
    } == { "Wait for decision" = "$.step.details.first_wait", Remind = "$.step.details.second_wait" }
    error_message = "Both wait for their token, for as long as the request says."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(module.machine.definition).States :
      can(state.TimeoutSecondsPath) || try(state.TimeoutSeconds, 0) == 150 if state.Type == "Task"
    ])
    error_message = "Each task has a time-out, which is the function's for steps."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(module.machine.definition).States : flatten([for rule in state.Retry : rule.ErrorEquals]) == [
        "PortUnavailable", "GitHubUnavailable", "RetryableError",
        "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException",
        "Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout",
        "States.TaskFailed",
      ] if state.Type == "Task"
    ])
    error_message = "Temporary errors are retried, and all other errors a few times."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(module.machine.definition).States :
      state.Catch[length(state.Catch) - 1].ErrorEquals == ["States.ALL"] && state.Catch[length(state.Catch) - 1].Next == "Stopped" if state.Type == "Task"
    ])
    error_message = "A failed task stops the execution."
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => [state.Catch[0].Next, state.Catch[0].ResultPath] if try(state.Catch[0].ErrorEquals, []) == ["States.Timeout"]
    } == { "Wait for decision" = ["Reminder due?", "$.timeout"], Remind = ["Expire", "$.timeout"] }
    error_message = "After a wait without a decision comes a reminder, then the expiry."
  }
}

run "workflows_can_be_enabled" {
  command = plan

  variables {
    artifacts_dir = "./tests/artifacts"
    port          = { org_id = "org_test" }
    github        = { repositories = { services = { name = "acme/services" } } }
    alarm_actions = []
    approvals     = { without_person = "refuse" }
    workflows     = true
  }

  assert {
    condition = alltrue([
      for action, _ in local.actions : jsonencode(local.functions[action].filters) == jsonencode([
        { resourceType = ["run"], action = [action] },
        { context = { runId = [{ prefix = "wfnr_" }] } },
      ])
    ])
    error_message = "Each function of an action also receives the runs of nodes."
  }

  assert {
    condition     = jsonencode(local.functions["approval"].filters) == jsonencode([{ resourceType = ["run"], action = ["decide_approval", "run_ended"] }])
    error_message = "A workflow cannot decide on a request."
  }

  assert {
    condition     = local.environment.WORKFLOWS == "true" && jsondecode(aws_s3_object.policy.content).without_person == "refuse"
    error_message = "The functions have the setting, and the policy has the rule for changes without a person."
  }
}

run "changes_can_come_from_the_change_log" {
  command = plan

  variables {
    artifacts_dir = "./tests/artifacts"
    port          = { org_id = "org_test" }
    github        = { repositories = { services = { name = "acme/services" } } }
    alarm_actions = []
    changes       = { source = "change_log" }
  }

  assert {
    condition     = output.topics == { runs = "org_test.runs", change_log = "org_test.change.log" }
    error_message = "The output names the topic."
  }

  assert {
    condition     = local.functions["health_checker"].topic == "change_log" && output.port_setup.CHANGES_SOURCE == "change_log"
    error_message = "The function reads changes from the topic, and `port_setup` has the source."
  }
}

run "changes_and_policy_match_the_variables" {
  command = plan

  variables {
    artifacts_dir = "./tests/artifacts"
    port          = { org_id = "org_test" }
    github        = { repositories = { services = { name = "acme/services" } } }
    alarm_actions = []
    subscriptions = [
      { name = "audit", state_machine = "acme-audit", filter = { blueprint = "service", properties = { environment = ["Production"], owner = ["a", "b"] }, changed = ["replicas"] } },
      { name = "any", state_machine = "acme-any", filter = { blueprint = "team" } },
    ]
    approvals    = { approvers = { emails = ["one@acme.example"] } }
    health_probe = { canary_url = "https://canary.example/" }
    remediation  = { strategies = [{ kind = "scale_up", step = 3, max_replicas = 1000 }, { kind = "roll_back", auto_merge = true }, { kind = "restart", attempts = 2 }] }
  }

  assert {
    condition = jsondecode(aws_s3_object.remediation_policy.content).strategies == [
      { kind = "scale_up", attempts = 1, wait_seconds = 30, step = 3, max_replicas = 1000 },
      { kind = "roll_back", attempts = 1, wait_seconds = 30, auto_merge = true },
      { kind = "restart", attempts = 2, wait_seconds = 30 },
    ]
    error_message = "Strategies keep their order, and have only their own settings."
  }

  assert {
    condition     = jsondecode(local.environment.HEALTH_PROBE).canary_url == "https://canary.example/"
    error_message = "The prober has the canary address."
  }

  assert {
    condition = jsonencode(local.functions["health_checker"].filters) == jsonencode([
      { resourceType = ["entity"], context = { blueprint = ["service"] }, diff = { after = { properties = { health_status = ["Progressing", "Degraded"] } } } },
      { resourceType = ["entity"], context = { blueprint = ["service"] }, diff = { after = { properties = { environment = ["Production"], owner = ["a", "b"] } } } },
      { resourceType = ["entity"], context = { blueprint = ["team"] } },
    ])
    error_message = "Health is first, and each subscription has its own filter."
  }

  assert {
    condition     = jsondecode(local.environment.SUBSCRIPTIONS) == jsondecode(jsonencode(var.subscriptions))
    error_message = "The function has the same table."
  }

  assert {
    condition     = local.functions["health_checker"].topic == "runs" && output.port_setup == { CHANGES_SOURCE = "automations", HEALTH_BLUEPRINTS = jsonencode(["service"]), IDENTIFIER_PREFIX = "", INSTALLATION = "${local.account.id}/${local.account.region}/${var.name_prefix}", KAFKA_MODE = var.kafka.mode, RUN_SOURCE = "kafka", SUBSCRIPTIONS = local.environment.SUBSCRIPTIONS, WEBHOOK_URL = "" }
    error_message = "Automations publish changes on the topic of runs, for the same table."
  }
}
