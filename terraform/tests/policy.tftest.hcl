mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "production_needs_a_second_person_unless_said_otherwise" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["devops@acme.example"], teams = ["devops"] }, domain_aliases = { "acme.io" = "acme.example" } }
  }

  assert {
    condition = jsondecode(aws_s3_object.policy.content) == {
      schema_version = 1
      domain_aliases = { "acme.io" = "acme.example" }
      scale          = { min = 1, max = 20, max_step = 5, default_step = 1 }
      rules = [
        { actions = ["create_service"], environments = ["*"], approval = null, auto_merge = false },
        { actions = ["upscale_service", "downscale_service"], environments = ["Test", "Staging"], approval = null, auto_merge = true },
        { actions = ["delete_service"], environments = ["Test", "Staging"], approval = null, auto_merge = false },
        {
          actions      = ["upscale_service", "downscale_service", "delete_service"]
          environments = ["Production"]
          approval     = { emails = ["devops@acme.example"], teams = ["devops"], count = 1, expires_after_seconds = 86400, remind_before_seconds = 7200 }
          auto_merge   = true
        },
      ]
      default = {
        approval   = { emails = ["devops@acme.example"], teams = ["devops"], count = 1, expires_after_seconds = 86400, remind_before_seconds = 7200 }
        auto_merge = false
      }
    }
    error_message = "Create, Test and Staging go through; Production, and what no rule knows, does not."
  }

  assert {
    condition     = aws_s3_object.policy.key == "policy/approvals.json" && local.environment.POLICY_KEY == "policy/approvals.json"
    error_message = "The functions are told where the document is."
  }
}

run "an_installation_that_names_nobody_has_a_whole_document" {
  command = plan

  assert {
    condition = jsondecode(aws_s3_object.policy.content).default.approval == {
      emails                = []
      teams                 = []
      count                 = 1
      expires_after_seconds = 86400
      remind_before_seconds = 7200
    }
    error_message = "What needs an approval is then refused at its start."
  }

  assert {
    condition     = length(local.approver_emails) == 0
    error_message = "And nobody is told."
  }
}

run "rules_of_ones_own_replace_all_others" {
  command = plan

  variables {
    approvals = {
      approvers = { emails = ["one@acme.example"], remind_before_seconds = 0 }
      rules = [
        { actions = ["*"], environments = ["Lab"], auto_merge = true },
        { actions = ["delete_service"], environments = ["Production"], approval = { emails = ["two@acme.example", "three@acme.example"], count = 2, expires_after_seconds = 10, remind_before_seconds = 5 } },
        { actions = ["upscale_service"], environments = ["Production"], approval = { remind_before_seconds = 0 } },
      ]
    }
  }

  assert {
    condition = jsondecode(aws_s3_object.policy.content).rules == [
      { actions = ["*"], environments = ["Lab"], approval = null, auto_merge = true },
      {
        actions      = ["delete_service"]
        environments = ["Production"]
        approval     = { emails = ["two@acme.example", "three@acme.example"], teams = [], count = 2, expires_after_seconds = 10, remind_before_seconds = 5 }
        auto_merge   = false
      },
      {
        actions      = ["upscale_service"]
        environments = ["Production"]
        approval     = { emails = ["one@acme.example"], teams = [], count = 1, expires_after_seconds = 86400, remind_before_seconds = null }
        auto_merge   = false
      },
    ]
    error_message = "They stand as they were given; approvers that a rule does not name are the general ones."
  }

  assert {
    condition     = local.approver_emails == toset(["one@acme.example", "two@acme.example", "three@acme.example"])
    error_message = "Everybody who is named anywhere is told."
  }
}

run "approvers_are_told_to_the_function_and_slack_only_if_there_is_one" {
  variables {
    approvals          = { approver_principals = { release-manager = "one@acme.example" } }
    secret_versions    = { slack = 0 }
    links_base_url     = "https://approvals.acme.example"
    port_credentials   = { client_id = "id", client_secret = "0123456789abcdef0123456789abcdef" }
    github_credentials = { token = "token" }
    kafka_credentials  = { username = "user", password = "password" }
    mirror_credentials = { username = "reader", password = "password" }
    slack_webhook_url  = "https://hooks.slack.com/services/T0/B0/x"
  }

  assert {
    condition     = jsondecode(local.environment.APPROVER_PRINCIPALS) == { release-manager = "one@acme.example" } && local.environment.LINKS_BASE_URL == "https://approvals.acme.example"
    error_message = "The environment is what slipway.config reads."
  }

  assert {
    condition     = local.environment.SLACK_SECRET_ID == "" && local.environment.LINKS_SECRET_ID != ""
    error_message = "Without Slack there is no secret to read."
  }

  assert {
    condition     = local.callers["approval"].api.source_arn == "arn:aws:execute-api:eu-west-1:111122223333:mock/live/*" && local.callers["sweep_runs"].executions.source_arn == "arn:aws:events:eu-west-1:111122223333:rule/mock"
    error_message = "The API may call one function, EventBridge's rule the other."
  }
}
