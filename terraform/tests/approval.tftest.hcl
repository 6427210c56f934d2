# The schema of a web ACL makes each run of this module dear: hence few runs.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account                  = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name_prefix              = "slipway"
  function_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"
  sweep_alias_arn          = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live"
  function_timeout_seconds = 120
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/k"
  approver_emails          = ["one@acme.example", "two@acme.example"]
  api                      = { throttle_rate = 10, throttle_burst = 20, manage_account = true }
  links_base_url           = null
  logs                     = { prefix = "/aws", retention_days = 90 }
  roles                    = { path = "/", suffix = "", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
}

run "the_machine_runs_bounded_steps_of_one_function" {
  command = plan

  module {
    source = "./modules/approval"
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => state.Parameters.Payload.step if state.Type == "Task"
      } == {
      Begin               = "begin"
      Lock                = "lock"
      Request             = "request"
      "Wait for decision" = "wait"
      Remind              = "remind"
      Expire              = "expire"
      Execute             = "execute"
      Report              = "report"
      Hold                = "hold"
    }
    error_message = "Each task is a step."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(module.machine.definition).States :
      state.Parameters.FunctionName == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live" &&
      state.Parameters.Payload.schema_version == 1 &&
      state.Parameters.Payload["run_id.$"] == "$.run_id" &&
      state.Parameters.Payload["execution.$"] == "$$.Execution.Name" if state.Type == "Task"
    ])
    error_message = "Each step receives the run and the execution."
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => state.Parameters.Payload["token.$"] if can(state.Parameters.Payload["token.$"])
    } == { "Wait for decision" = "$$.Task.Token", Remind = "$$.Task.Token" }
    error_message = "Only the two waits receive a task token."
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => state.TimeoutSecondsPath if try(state.Resource, "") == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    } == { "Wait for decision" = "$.step.waits.first_wait", Remind = "$.step.waits.second_wait" }
    error_message = "Both wait for their token, for as long as the request says."
  }

  assert {
    condition = {
      for choice in jsondecode(module.machine.definition).States["Go on"].Choices :
      try(choice.StringEquals, choice.And[0].StringEquals) => choice.Next if can(choice.StringEquals) || can(choice.And)
    } == { Lock = "Lock", Request = "Request", Wait = "Wait for decision", Execute = "Execute", "Wait to merge" = "Wait to merge", Report = "Report", Done = "Done" }
    error_message = "The function decides the next state."
  }

  assert {
    condition     = jsondecode(module.machine.definition).States["Go on"].Default == "Hold"
    error_message = "An unknown next state puts the run on hold."
  }

  assert {
    condition     = jsondecode(module.machine.definition).TimeoutSeconds == 45 * 24 * 3600
    error_message = "The machine has a time-out."
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
        "PortUnavailable", "GitHubUnavailable", "RunInProgress", "RetryableError",
        "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException",
        "Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout",
        "States.TaskFailed",
      ] if state.Type == "Task"
    ])
    error_message = "Temporary errors are retried, and all other errors a few times."
  }

  assert {
    condition = alltrue([
      for name, state in jsondecode(module.machine.definition).States :
      state.Catch[length(state.Catch) - 1].ErrorEquals == ["States.ALL"] && state.Catch[length(state.Catch) - 1].Next == (name == "Hold" ? "Held" : "Hold") if state.Type == "Task"
    ])
    error_message = "A failed task puts the run on hold."
  }

  assert {
    condition = {
      for name, state in jsondecode(module.machine.definition).States : name => [state.Catch[0].Next, state.Catch[0].ResultPath] if try(state.Catch[0].ErrorEquals, []) == ["States.Timeout"]
    } == { "Wait for decision" = ["Reminder due?", "$.timeout"], Remind = ["Expire", "$.timeout"] }
    error_message = "After a wait without a decision comes a reminder, then the expiry."
  }

  assert {
    condition     = jsondecode(module.machine.definition).States["Held"].Type == "Fail" && jsondecode(module.machine.definition).States["Held"].Error == "Slipway.Held"
    error_message = "The execution of a run on hold fails."
  }

  assert {
    condition = (
      aws_cloudformation_stack.api_log[0].parameters == tomap({ PermissionsBoundary = "arn:aws:iam::111122223333:policy/boundary" }) &&
      aws_cloudformation_stack.api_log[0].capabilities == toset(["CAPABILITY_IAM"]) &&
      alltrue([for resource in jsondecode(aws_cloudformation_stack.api_log[0].template_body).Resources : resource.DeletionPolicy == "Retain"])
    )
    error_message = "The account's log role has the boundary, and stays when this stack is destroyed."
  }

  assert {
    condition     = output.base_url == "https://mock.execute-api.eu-west-1.amazonaws.com/live" && output.api_stage_arn == "arn:aws:execute-api:eu-west-1:111122223333:mock/live"
    error_message = "Links begin with the stage's address."
  }

  assert {
    condition     = { for statement in module.machine.statements : statement.sid => tolist(statement.resources) } == { TakeSteps = tolist(["arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"]), WriteLog = tolist(["*"]), WriteTraces = tolist(["*"]) }
    error_message = "Only the alias of the approval function can be called."
  }

  assert {
    condition     = !module.machine.log.has_data
    error_message = "Task tokens are not in the log."
  }

  assert {
    condition     = module.machine.role.name == "slipway-approval-machine"
    error_message = "The role's name is not that of a function."
  }

  assert {
    condition     = output.stopped_rule_arn != null
    error_message = "The sweep is called for executions that stopped."
  }
}

run "decisions_are_signed_and_links_are_not_logged" {
  command = plan

  module {
    source = "./modules/approval"
  }

  assert {
    condition = {
      for key, method in aws_api_gateway_method.this : key => "${method.http_method} ${method.authorization}"
    } == { decide = "POST AWS_IAM", show_link = "GET NONE", decide_by_it = "POST NONE" }
    error_message = "Three methods; REST needs IAM, a link carries its own signature."
  }

  assert {
    condition = [
      for resource in [aws_api_gateway_resource.approvals, aws_api_gateway_resource.approval, aws_api_gateway_resource.decision, aws_api_gateway_resource.links, aws_api_gateway_resource.link] : resource.path_part
    ] == ["approvals", "{id}", "decision", "links", "{token}"]
    error_message = "The paths are those that the function handles."
  }

  assert {
    condition = alltrue([
      for integration in aws_api_gateway_integration.this :
      integration.type == "AWS_PROXY" && integration.integration_http_method == "POST" &&
      integration.uri == "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live/invocations"
    ])
    error_message = "The alias handles all methods."
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.this.settings).throttling_rate_limit == 10 && one(aws_api_gateway_method_settings.this.settings).throttling_burst_limit == 20 && aws_api_gateway_method_settings.this.method_path == "*/*"
    error_message = "All methods are throttled."
  }

  assert {
    condition = !anytrue([
      for value in values(jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format)) :
      contains(["$context.path", "$context.customDomain.basePathMatched"], value) || startswith(value, "$context.integration.requestUri")
    ]) && !can(regex("\\$context\\.path\\b", aws_api_gateway_stage.this.access_log_settings[0].format))
    error_message = "The access log does not contain the path of a request."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format).resourcePath == "$context.resourcePath"
    error_message = "The access log contains the path of the resource."
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.this.settings).logging_level == "OFF" && !one(aws_api_gateway_method_settings.this.settings).data_trace_enabled
    error_message = "The execution log is off."
  }

  assert {
    condition     = !aws_api_gateway_stage.this.xray_tracing_enabled
    error_message = "X-Ray is off, because its segments contain the whole address."
  }

  assert {
    condition = {
      for email, filter in module.topic.subscriptions : email => jsondecode(filter)
    } == { "one@acme.example" = { approver = ["one@acme.example"] }, "two@acme.example" = { approver = ["two@acme.example"] } }
    error_message = "A personal link goes to one person."
  }
}

run "the_base_address_of_links_can_be_set" {
  command = plan

  module {
    source = "./modules/approval"
  }

  variables {
    links_base_url = "http://127.0.0.1:4566/_aws/execute-api/{api_id}/live"
  }

  assert {
    condition     = output.base_url == "http://127.0.0.1:4566/_aws/execute-api/mock/live"
    error_message = "The API's id is filled in."
  }
}

run "the_account_role_can_exist_and_the_api_have_a_policy" {
  command = plan

  module {
    source = "./modules/approval"
  }

  variables {
    api = {
      throttle_rate  = 10
      throttle_burst = 20
      manage_account = false
      resource_policy = jsonencode({
        Version = "2012-10-17"
        Statement = [
          { Effect = "Allow", Principal = "*", Action = "execute-api:Invoke", Resource = "execute-api:/*" },
          { Effect = "Deny", Principal = "*", Action = "execute-api:Invoke", Resource = ["execute-api:/live/GET/*", "execute-api:/live/POST/*"] },
        ]
      })
    }
    waf = true
  }

  assert {
    condition     = length(aws_api_gateway_rest_api_policy.this) == 1 && length(aws_wafv2_web_acl_association.this) == 1
    error_message = "The API has the configured policy and web ACL."
  }

  assert {
    condition     = [for field in aws_wafv2_web_acl_logging_configuration.this[0].redacted_fields : length(field.uri_path)] == [1, 0] && !aws_wafv2_web_acl.this[0].visibility_config[0].sampled_requests_enabled
    error_message = "The web ACL's log does not contain the address of a link."
  }

  assert {
    # API Gateway answers the full ARN: a plan with the short form would show a change for ever.
    condition = flatten([for statement in jsondecode(aws_api_gateway_rest_api_policy.this[0].policy).Statement : statement.Resource]) == [
      for path in ["*", "live/GET/*", "live/POST/*"] : "${aws_api_gateway_rest_api.this.execution_arn}/${path}"
    ]
    error_message = "The policy names this API."
  }

  assert {
    condition     = length(aws_cloudformation_stack.api_log) == 0
    error_message = "The account's role for logs is unchanged."
  }
}
