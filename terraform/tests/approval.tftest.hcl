# The schema of a web ACL makes each run of this module dear: hence few runs.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name_prefix              = "slipway"
  function_alias_arn       = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"
  sweep_alias_arn          = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live"
  function_timeout_seconds = 120
  key_arn                  = "arn:aws:kms:eu-west-1:111122223333:key/k"
  approver_emails          = ["one@acme.example", "two@acme.example"]
  api                      = { throttle_rate = 10, throttle_burst = 20, manage_account = true }
  links_base_url           = null
  log_retention_days       = 90
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
}

run "the_machine_takes_bounded_steps_of_one_function_and_no_more" {
  command = plan

  module {
    source = "./modules/approval"
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => state.Parameters.Payload.step if state.Type == "Task"
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
      for state in jsondecode(aws_sfn_state_machine.this.definition).States :
      state.Parameters.FunctionName == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live" &&
      state.Parameters.Payload.schema_version == 1 &&
      state.Parameters.Payload["run_id.$"] == "$.run_id" &&
      state.Parameters.Payload["execution.$"] == "$$.Execution.Name" if state.Type == "Task"
    ])
    error_message = "Each step is told the run and the execution."
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => state.Parameters.Payload["token.$"] if can(state.Parameters.Payload["token.$"])
    } == { "Wait for decision" = "$$.Task.Token", Remind = "$$.Task.Token" }
    error_message = "Both waits are told their token, and nobody else one."
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => state.TimeoutSecondsPath if try(state.Resource, "") == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    } == { "Wait for decision" = "$.step.waits.first_wait", Remind = "$.step.waits.second_wait" }
    error_message = "Both wait for their token, for as long as the request says."
  }

  assert {
    condition = {
      for choice in jsondecode(aws_sfn_state_machine.this.definition).States["Go on"].Choices :
      try(choice.StringEquals, choice.And[0].StringEquals) => choice.Next if can(choice.StringEquals) || can(choice.And)
    } == { Lock = "Lock", Request = "Request", Wait = "Wait for decision", Execute = "Execute", "Wait to merge" = "Wait to merge", Report = "Report", Done = "Done" }
    error_message = "The function says what comes next."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Go on"].Default == "Hold"
    error_message = "What the machine does not know is held."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).TimeoutSeconds == 45 * 24 * 3600
    error_message = "No execution is forgotten."
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
        "PortUnavailable", "GitHubUnavailable", "RunInProgress", "RetryableError",
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
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States :
      state.Catch[length(state.Catch) - 1].ErrorEquals == ["States.ALL"] && state.Catch[length(state.Catch) - 1].Next == (name == "Hold" ? "Held" : "Hold") if state.Type == "Task"
    ])
    error_message = "What fails is held."
  }

  assert {
    condition = {
      for name, state in jsondecode(aws_sfn_state_machine.this.definition).States : name => [state.Catch[0].Next, state.Catch[0].ResultPath] if try(state.Catch[0].ErrorEquals, []) == ["States.Timeout"]
    } == { "Wait for decision" = ["Reminder due?", "$.timeout"], Remind = ["Expire", "$.timeout"] }
    error_message = "A wait that ends without a decision is followed by a reminder, then by the end."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Held"].Type == "Fail" && jsondecode(aws_sfn_state_machine.this.definition).States["Held"].Error == "Slipway.Held"
    error_message = "A held run is a failed execution."
  }

  assert {
    condition     = !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data && aws_sfn_state_machine.this.logging_configuration[0].level == "ALL"
    error_message = "Every state is in the log, but no data: task tokens are part of it."
  }

  assert {
    condition     = aws_sfn_state_machine.this.tracing_configuration[0].enabled && startswith(aws_cloudwatch_log_group.this.name, "/aws/vendedlogs/")
    error_message = "Executions are traced, and their log needs no more room in CloudWatch's policy."
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : tolist(statement.resources) if contains(statement.actions, "lambda:InvokeFunction")
    ] == [tolist(["arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live"])]
    error_message = "Only the alias of the approval function can be called."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.this.statement : statement.sid if contains(statement.resources, "*")] == ["WriteLog", "WriteTraces"]
    error_message = "Only what knows no resource is granted on all."
  }

  assert {
    condition     = aws_iam_role.this.name == "slipway-approval-machine" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The boundary bounds the role, whose name is not that of a function."
  }

  assert {
    condition = (
      aws_cloudformation_stack.api_log[0].parameters == tomap({ PermissionsBoundary = "arn:aws:iam::111122223333:policy/boundary" }) &&
      aws_cloudformation_stack.api_log[0].capabilities == toset(["CAPABILITY_IAM"]) &&
      alltrue([for resource in jsondecode(aws_cloudformation_stack.api_log[0].template_body).Resources : resource.DeletionPolicy == "Retain"])
    )
    error_message = "The account's log role is bounded, and stays when this stack is destroyed."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.stopped.event_pattern) == {
      source      = ["aws.states"]
      detail-type = ["Step Functions Execution Status Change"]
      detail = {
        stateMachineArn = [aws_sfn_state_machine.this.arn]
        status          = ["ABORTED", "FAILED", "TIMED_OUT"]
      }
    }
    error_message = "The sweep is told of this machine's executions that did not end by themselves, and of no others."
  }

  assert {
    condition     = aws_cloudwatch_event_target.sweep_runs.arn == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs:live" && aws_cloudwatch_event_target.sweep_runs.retry_policy[0].maximum_retry_attempts == 185
    error_message = "EventBridge calls the sweep's alias, again and again if need be."
  }

  assert {
    condition     = output.base_url == "https://mock.execute-api.eu-west-1.amazonaws.com/live" && output.api_stage_arn == "arn:aws:execute-api:eu-west-1:111122223333:mock/live"
    error_message = "Links begin with the stage's address."
  }
}

run "decisions_are_signed_links_are_not_logged_and_each_approver_is_told_alone" {
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
    error_message = "The paths are those that the function knows."
  }

  assert {
    condition = alltrue([
      for integration in aws_api_gateway_integration.this :
      integration.type == "AWS_PROXY" && integration.integration_http_method == "POST" &&
      integration.uri == "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:slipway-approval:live/invocations"
    ])
    error_message = "The alias answers all of them."
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
    error_message = "The access log has no path of a request."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format).resourcePath == "$context.resourcePath"
    error_message = "The access log has the path of the resource."
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.this.settings).logging_level == "OFF" && !one(aws_api_gateway_method_settings.this.settings).data_trace_enabled
    error_message = "There is no execution log."
  }

  assert {
    condition     = !aws_api_gateway_stage.this.xray_tracing_enabled
    error_message = "Segments of X-Ray hold the whole address."
  }

  assert {
    condition = {
      for subscription in aws_sns_topic_subscription.approver : subscription.endpoint => jsondecode(subscription.filter_policy)
    } == { "one@acme.example" = { approver = ["one@acme.example"] }, "two@acme.example" = { approver = ["two@acme.example"] } }
    error_message = "A personal link goes to one person."
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.approver : subscription.protocol == "email" && subscription.filter_policy_scope == "MessageAttributes"])
    error_message = "By e-mail, by the attribute of the message."
  }

  assert {
    condition     = aws_sns_topic.approvals.kms_master_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k"
    error_message = "Notices are encrypted."
  }

  assert {
    condition     = data.aws_iam_policy_document.topic.statement[0].effect == "Deny" && one([for condition in data.aws_iam_policy_document.topic.statement[0].condition : condition.variable]) == "aws:SecureTransport"
    error_message = "Notices without TLS are denied."
  }
}

run "links_can_begin_with_another_address" {
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

run "the_account_can_be_somebody_elses_and_the_api_better_guarded" {
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
    error_message = "A policy and a web ACL stand in front of the API where they are asked for."
  }

  assert {
    condition     = [for field in aws_wafv2_web_acl_logging_configuration.this[0].redacted_fields : length(field.uri_path)] == [1, 0] && !aws_wafv2_web_acl.this[0].visibility_config[0].sampled_requests_enabled
    error_message = "The web ACL keeps no address of a link."
  }

  assert {
    # API Gateway answers the full ARN: a plan with the short form would show a change for ever.
    condition = flatten([for statement in jsondecode(aws_api_gateway_rest_api_policy.this[0].policy).Statement : statement.Resource]) == [
      for path in ["*", "live/GET/*", "live/POST/*"] : "${aws_api_gateway_rest_api.this.execution_arn}/${path}"
    ]
    error_message = "The policy names this API, as API Gateway answers it."
  }

  assert {
    condition     = length(aws_cloudformation_stack.api_log) == 0
    error_message = "The account's role for logs is left alone."
  }
}
