mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix              = "slipway"
  function_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-remediation:live"
  probe_function_alias_arn = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-probe_health:live"
  approval_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"
  sweep_alias_arn          = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live"
  function_timeout_seconds = 120
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/k"
  alert_emails             = ["one@acme.example", "two@acme.example"]
  log_retention_days       = 90
  alarm_actions            = ["arn:aws:sns:eu-west-1:111122223333:alarms"]
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
}

run "the_machine_takes_the_steps_of_the_functions" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States :
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
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States :
      state.Parameters.Payload.schema_version == 1 && state.Parameters.Payload["execution.$"] == "$.execution" if state.Type == "Task" && name != "Probe"
    ])
    error_message = "Each step is told its execution, by which one that was overtaken knows it."
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => state.Parameters.Payload["token.$"] if can(state.Parameters.Payload["token.$"])
    } == { "Wait for decision" = "$$.Task.Token", Remind = "$$.Task.Token" }
    error_message = "Both waits are told their token, and nobody else one."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Probe"].Parameters == { FunctionName = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-probe_health:live", "Payload.$" = "$.step.details.probe" }
    error_message = "What probes is told what to probe, and nothing else."
  }

  assert {
    condition = {
      for choice in jsondecode(aws_sfn_state_machine.this.definition).States["Go on"].Choices :
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
    error_message = "The functions say what comes next."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Go on"].Default == "Stopped" && jsondecode(aws_sfn_state_machine.this.definition).States["Stopped"].Type == "Fail"
    error_message = "What the machine does not know fails, so that the service is let go."
  }

  assert {
    condition = alltrue(flatten([
      for state in jsondecode(aws_sfn_state_machine.this.definition).States : [
        for next in concat(try([state.Next], []), try([state.Default], []), try(state.Choices[*].Next, []), try(state.Catch[*].Next, [])) :
        contains(keys(jsondecode(aws_sfn_state_machine.this.definition).States), next)
      ]
    ]))
    error_message = "Each state that comes next is there."
  }
}

run "every_task_is_bounded_repeated_and_caught" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).TimeoutSeconds == 45 * 24 * 3600
    error_message = "No execution is forgotten."
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => state.TimeoutSecondsPath if can(state.TimeoutSecondsPath)
    } == { "Wait for decision" = "$.step.details.first_wait", Remind = "$.step.details.second_wait" }
    error_message = "Both wait for their token, for as long as the request says."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(aws_sfn_state_machine.this.definition).States :
      can(state.TimeoutSecondsPath) || try(state.TimeoutSeconds, 0) == 150 if state.Type == "Task"
    ])
    error_message = "Each task has a time-out; steps are given the function's own time."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(aws_sfn_state_machine.this.definition).States : flatten([for rule in state.Retry : rule.ErrorEquals]) == [
        "PortUnavailable", "GitHubUnavailable", "RetryableError",
        "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException",
        "Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout",
        "States.TaskFailed",
      ] if state.Type == "Task"
    ])
    error_message = "What may pass by itself is tried again, and so is, a few times, whatever else fails."
  }

  assert {
    # With full jitter a pause is half as long on average.
    condition = alltrue([
      for state in jsondecode(aws_sfn_state_machine.this.definition).States :
      sum([for attempt in range(state.Retry[0].MaxAttempts) : min(state.Retry[0].MaxDelaySeconds, state.Retry[0].IntervalSeconds * pow(state.Retry[0].BackoffRate, attempt))]) / 2 > 3600 if state.Type == "Task"
    ])
    error_message = "A step outlasts GitHub's hourly rate limit."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(aws_sfn_state_machine.this.definition).States :
      state.Catch[length(state.Catch) - 1].ErrorEquals == ["States.ALL"] && state.Catch[length(state.Catch) - 1].Next == "Stopped" if state.Type == "Task"
    ])
    error_message = "What fails stops the execution."
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => [state.Catch[0].Next, state.Catch[0].ResultPath] if try(state.Catch[0].ErrorEquals, []) == ["States.Timeout"]
    } == { "Wait for decision" = ["Reminder due?", "$.timeout"], Remind = ["Expire", "$.timeout"] }
    error_message = "A wait that ends without a decision is followed by a reminder, then by the end."
  }
}

run "the_machine_may_call_its_functions_and_no_more" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.this.statement : statement.sid => statement.resources if statement.sid == "TakeSteps" } == {
      TakeSteps = toset([
        "arn:aws:lambda:eu-west-1:111122223333:function:slipway-remediation:live",
        "arn:aws:lambda:eu-west-1:111122223333:function:slipway-probe_health:live",
        "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live",
      ])
    }
    error_message = "It calls the live aliases of three functions."
  }

  assert {
    condition     = toset([for statement in data.aws_iam_policy_document.this.statement : statement.sid if contains(statement.resources, "*")]) == toset(["WriteLog", "WriteTraces"])
    error_message = "Only what knows no resource is allowed on all."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The boundary bounds the role."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.assume.statement[0].condition).variable == "aws:SourceAccount"
    error_message = "Only Step Functions of this account assumes it."
  }
}

run "executions_are_logged_without_tokens_and_traced" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition     = !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data && aws_sfn_state_machine.this.logging_configuration[0].level == "ALL" && aws_sfn_state_machine.this.tracing_configuration[0].enabled
    error_message = "Logged without data, and traced."
  }
}

run "executions_that_did_not_end_by_themselves_are_told" {
  # The rule names the machine, whose ARN is known when it is made.
  command = apply

  module {
    source = "./modules/remediation"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.stopped.event_pattern) == {
      source      = ["aws.states"]
      detail-type = ["Step Functions Execution Status Change"]
      detail      = { stateMachineArn = [aws_sfn_state_machine.this.arn], status = ["ABORTED", "FAILED", "TIMED_OUT"] }
    }
    error_message = "All three ways, and only this machine's."
  }

  assert {
    condition     = aws_cloudwatch_event_target.sweep_runs.arn == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live"
    error_message = "The sweep is told."
  }
}

run "alerts_are_encrypted_and_go_to_the_people_named" {
  command = plan

  module {
    source = "./modules/remediation"
  }

  assert {
    condition     = aws_sns_topic.alerts.name == "slipway-alerts" && aws_sns_topic.alerts.kms_master_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k"
    error_message = "The topic is encrypted by the stack's key."
  }

  assert {
    condition     = { for email, subscription in aws_sns_topic_subscription.email : email => "${subscription.protocol} ${subscription.endpoint}" } == { "one@acme.example" = "email one@acme.example", "two@acme.example" = "email two@acme.example" }
    error_message = "Each is told by e-mail."
  }

  assert {
    condition     = data.aws_iam_policy_document.topic.statement[0].effect == "Deny" && one(data.aws_iam_policy_document.topic.statement[0].condition).variable == "aws:SecureTransport"
    error_message = "Only by TLS."
  }
}

run "workflows_are_taken_on_request" {
  command = plan

  variables {
    artifacts_dir = "./tests/artifacts"
    port          = { org_id = "org_test" }
    github        = { services_repo = "acme/services" }
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
    error_message = "Each function of an action also gets the runs of nodes."
  }

  assert {
    condition     = jsonencode(local.functions["approval"].filters) == jsonencode([{ resourceType = ["run"], action = ["decide_approval", "run_ended"] }])
    error_message = "A workflow decides nothing."
  }

  assert {
    condition     = local.environment.WORKFLOWS == "true" && jsondecode(aws_s3_object.policy.content).without_person == "refuse"
    error_message = "The functions know it, and the policy what a change without a person needs."
  }
}

run "changes_come_from_the_change_log_on_request" {
  command = plan

  variables {
    artifacts_dir = "./tests/artifacts"
    port          = { org_id = "org_test" }
    github        = { services_repo = "acme/services" }
    alarm_actions = []
    changes       = { source = "change_log" }
  }

  assert {
    condition     = output.topics == { runs = "org_test.runs", change_log = "org_test.change.log" }
    error_message = "The topic is one of those that must exist."
  }

  assert {
    condition     = local.functions["health_checker"].topic == "change_log" && output.port_setup.CHANGES_SOURCE == "change_log"
    error_message = "Changes are read from it, and Port is set up for it."
  }
}

run "changes_and_policy_are_those_of_the_variables" {
  command = plan

  variables {
    artifacts_dir = "./tests/artifacts"
    port          = { org_id = "org_test" }
    github        = { services_repo = "acme/services" }
    alarm_actions = []
    subscriptions = [
      { name = "audit", state_machine = "acme-audit", filter = { blueprint = "service", properties = { environment = ["Production"], owner = ["a", "b"] }, changed = ["replicas"] } },
      { name = "any", state_machine = "acme-any", filter = { blueprint = "team" } },
    ]
    approvals    = { approvers = { emails = ["one@acme.example"] }, scale = { max = 4, max_step = 2 } }
    health_probe = { trusted_urls = ["https://*.example.com/"], canary_url = "https://canary.example/" }
    remediation  = { strategies = [{ kind = "scale_up", step = 3, max_replicas = 1000 }, { kind = "roll_back", auto_merge = true }, { kind = "restart", attempts = 2 }] }
  }

  assert {
    condition = jsondecode(aws_s3_object.remediation_policy.content).strategies == [
      { kind = "scale_up", attempts = 1, wait_seconds = 30, step = 2, max_replicas = 4 },
      { kind = "roll_back", attempts = 1, wait_seconds = 30, auto_merge = true },
      { kind = "restart", attempts = 2, wait_seconds = 30 },
    ]
    error_message = "In the order given, each with its own settings only, and no more replicas than people may ask for."
  }

  assert {
    condition     = jsondecode(aws_s3_object.remediation_policy.content).trusted_urls == ["https://*.example.com/"]
    error_message = "Services are repaired by the URLs that the installation trusts."
  }

  assert {
    condition     = jsondecode(local.environment.HEALTH_PROBE).canary_url == "https://canary.example/"
    error_message = "The function that probes knows the canary address."
  }

  assert {
    condition = jsonencode(local.functions["health_checker"].filters) == jsonencode([
      { resourceType = ["entity"], context = { blueprint = ["service"] }, diff = { after = { properties = { health_status = ["Progressing", "Degraded"] } } } },
      { resourceType = ["entity"], context = { blueprint = ["service"] }, diff = { after = { properties = { environment = ["Production"], owner = ["a", "b"] } } } },
      { resourceType = ["entity"], context = { blueprint = ["team"] } },
    ])
    error_message = "Health is first; each subscription has a filter of its own."
  }

  assert {
    condition     = jsondecode(local.environment.SUBSCRIPTIONS) == jsondecode(jsonencode(var.subscriptions))
    error_message = "The function has the same table."
  }

  assert {
    condition     = local.functions["health_checker"].topic == "runs" && output.port_setup == { CHANGES_SOURCE = "automations", SUBSCRIPTIONS = local.environment.SUBSCRIPTIONS }
    error_message = "Automations publish changes on the topic of runs, for the same table."
  }
}
