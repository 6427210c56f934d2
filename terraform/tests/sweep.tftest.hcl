mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "runs_are_swept_every_five_minutes" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_rule.sweep.schedule_expression == "rate(5 minutes)"
    error_message = "Every five minutes."
  }

  assert {
    condition     = aws_cloudwatch_event_target.sweep.arn == local.function_alias_arns["sweep_runs"]
    error_message = "The schedule calls the alias."
  }

  assert {
    condition     = local.callers["sweep_runs"].schedule.principal == "events.amazonaws.com"
    error_message = "The rule may call the function."
  }

  assert {
    condition = jsondecode(local.environment.SWEEP_LIMITS) == {
      never_received = 900, report = 1800, pull_request = 2592000, reminder = 259200, held = 259200
    }
    error_message = "15 and 30 minutes, 30 days with a reminder 3 days before, 72 hours."
  }

  assert {
    condition = toset(keys(jsondecode(local.environment.OWN_ACTIONS))) == toset(concat(
      ["decide_approval"], flatten([for action, _ in local.actions : [action, "${action}_ended"]])
    ))
    error_message = "Every action and automation of ours is swept, and nothing that is no action."
  }

  assert {
    condition = { for action, alias in jsondecode(local.environment.OWN_ACTIONS) : action => alias if action != "upscale_service" && action != "downscale_service" } == {
      create_service        = local.function_alias_arns["create_service"], create_service_ended = local.function_alias_arns["approval"],
      delete_service        = local.function_alias_arns["delete_service"], delete_service_ended = local.function_alias_arns["approval"],
      upscale_service_ended = local.function_alias_arns["approval"], downscale_service_ended = local.function_alias_arns["approval"],
      decide_approval       = local.function_alias_arns["approval"]
    }
    error_message = "A run is late only if the function that reads its action does read."
  }

  assert {
    condition = {
      for grant in local.grants.sweep : grant.sid => grant.actions if contains(["FindFailedRecords", "ReadFailedRecords"], grant.sid)
      } == {
      FindFailedRecords = ["s3:ListBucket"], ReadFailedRecords = ["s3:GetObject"]
    }
    error_message = "It looks at failed records and changes none."
  }

  assert {
    condition     = data.aws_iam_policy_document.sweep_mappings.statement[0].actions == toset(["lambda:GetEventSourceMapping"]) && length(data.aws_iam_policy_document.sweep_mappings.statement) == 1
    error_message = "It looks at mappings and pauses none."
  }

  assert {
    condition     = contains(module.observability.alarms, "slipway-sweep_runs-silent")
    error_message = "People are told when the sweep is not called."
  }
}

run "a_rate_of_one_minute_is_singular" {
  command = plan

  variables {
    sweep = { rate_minutes = 1 }
  }

  assert {
    condition     = aws_cloudwatch_event_rule.sweep.schedule_expression == "rate(1 minute)"
    error_message = "EventBridge refuses the plural."
  }
}

run "the_longest_limits_are_accepted" {
  command = plan

  variables {
    sweep = { rate_minutes = 1440, never_received_seconds = 86400, report_seconds = 86400, pull_request_seconds = 31536000, reminder_seconds = 31535999, held_seconds = 2592000 }
  }
}

run "the_shortest_limits_are_accepted" {
  command = plan

  variables {
    functions = { timeout_seconds = 60 }
    sweep     = { rate_minutes = 1, never_received_seconds = 60, report_seconds = 60, pull_request_seconds = 3600, reminder_seconds = 60, held_seconds = 3600 }
  }
}

run "a_rate_of_nothing_is_refused" {
  command = plan

  variables {
    sweep = { rate_minutes = 0 }
  }

  expect_failures = [var.sweep]
}

run "a_rate_of_more_than_a_day_is_refused" {
  command = plan

  variables {
    sweep = { rate_minutes = 1441 }
  }

  expect_failures = [var.sweep]
}

run "half_a_minute_is_refused" {
  command = plan

  variables {
    sweep = { rate_minutes = 1.5 }
  }

  expect_failures = [var.sweep]
}

run "a_never_received_limit_under_a_minute_is_refused" {
  command = plan

  variables {
    sweep = { never_received_seconds = 59 }
  }

  expect_failures = [var.sweep]
}

run "a_never_received_limit_over_a_day_is_refused" {
  command = plan

  variables {
    sweep = { never_received_seconds = 86401 }
  }

  expect_failures = [var.sweep]
}

run "a_report_limit_under_a_minute_is_refused" {
  command = plan

  variables {
    sweep = { report_seconds = 59 }
  }

  expect_failures = [var.sweep]
}

run "a_report_limit_over_a_day_is_refused" {
  command = plan

  variables {
    sweep = { report_seconds = 86401 }
  }

  expect_failures = [var.sweep]
}

run "a_pull_request_limit_under_an_hour_is_refused" {
  command = plan

  variables {
    sweep = { pull_request_seconds = 3599, reminder_seconds = 60 }
  }

  expect_failures = [var.sweep]
}

run "a_pull_request_limit_over_a_year_is_refused" {
  command = plan

  variables {
    sweep = { pull_request_seconds = 31536001 }
  }

  expect_failures = [var.sweep]
}

run "a_reminder_under_a_minute_is_refused" {
  command = plan

  variables {
    sweep = { reminder_seconds = 59 }
  }

  expect_failures = [var.sweep]
}

run "a_reminder_as_long_as_the_limit_is_refused" {
  command = plan

  variables {
    sweep = { pull_request_seconds = 259200 }
  }

  expect_failures = [var.sweep]
}

run "a_held_limit_under_an_hour_is_refused" {
  command = plan

  variables {
    sweep = { held_seconds = 3599 }
  }

  expect_failures = [var.sweep]
}

run "a_held_limit_over_30_days_is_refused" {
  command = plan

  variables {
    sweep = { held_seconds = 2592001 }
  }

  expect_failures = [var.sweep]
}

run "a_report_limit_that_a_function_may_outlast_is_refused" {
  command = plan

  variables {
    functions = { timeout_seconds = 121 }
    sweep     = { report_seconds = 120 }
  }

  expect_failures = [var.sweep]
}
