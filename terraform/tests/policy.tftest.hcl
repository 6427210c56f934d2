mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { repositories = { services = { name = "acme/services" } } }
}

run "production_needs_a_second_person_by_default" {
  command = plan

  variables {
    # An action that joins the shipped catalog changes nothing here.
    catalog_dir = "../tests/fixtures/terraform/catalogs/default_rules"
    approvals   = { approvers = { emails = ["devops@acme.example"], teams = ["devops"] }, domain_aliases = { "acme.io" = "acme.example" } }
  }

  assert {
    # The fixture names the aliases of no account.
    condition     = jsonencode(merge(jsondecode(aws_s3_object.policy.content), { own_actions = {}, own_automations = [] })) == jsonencode(jsondecode(file("../tests/fixtures/terraform/approvals_policy.json")))
    error_message = "Creates, Test and Staging need no approval; all other changes need one."
  }

  assert {
    condition     = aws_s3_object.policy.key == "policy/policy.json" && local.environment.POLICY_KEY == "policy/policy.json"
    error_message = "The functions receive the key of the document."
  }
}

run "rules_of_an_installation_replace_the_default_rules" {
  command = plan

  variables {
    approvals = {
      approvers           = { emails = ["one@acme.example"], remind_before_seconds = 0 }
      approver_principals = { release-manager = "one@acme.example" }
      approver_accounts   = ["444455556666"]
      without_person      = "refuse"
      rules = [
        { actions = ["*"], environments = ["Lab"], auto_merge = true },
        { actions = ["*"], environments = ["Production"], approval = { emails = ["two@acme.example", "three@acme.example"], count = 2, expires_after_seconds = 10, remind_before_seconds = 5 } },
        { actions = ["*"], environments = ["Staging"], approval = { remind_before_seconds = 0 } },
      ]
    }
    links_base_url = "https://approvals.acme.example"
  }

  assert {
    condition = jsondecode(aws_s3_object.policy.content).rules == [
      { actions = ["*"], environments = ["Lab"], approval = null, auto_merge = true },
      {
        actions      = ["*"]
        environments = ["Production"]
        approval     = { emails = ["two@acme.example", "three@acme.example"], teams = [], count = 2, expires_after_seconds = 10, remind_before_seconds = 5 }
        auto_merge   = false
      },
      {
        actions      = ["*"]
        environments = ["Staging"]
        approval     = { emails = ["one@acme.example"], teams = [], count = 1, expires_after_seconds = 86400, remind_before_seconds = null }
        auto_merge   = false
      },
    ]
    error_message = "The rules are unchanged; a rule without approvers has the general ones."
  }

  assert {
    condition     = anytrue([for statement in jsondecode(output.operators_deny_policy).Statement : statement.Sid == "BecomeApprovers" && contains(statement.Resource, "arn:aws:iam::111122223333:role/release-manager")])
    error_message = "Operators may not decide who becomes an approver."
  }

  assert {
    condition     = jsondecode(aws_s3_object.policy.content).without_person == "refuse" && jsonencode(jsondecode(aws_s3_object.policy.content).approver_accounts) == jsonencode(["444455556666"])
    error_message = "The functions receive the rule for machine requests, and the other accounts."
  }

  assert {
    condition     = local.approver_emails == toset(["one@acme.example", "two@acme.example", "three@acme.example"])
    error_message = "All people in the rules are notified."
  }

  assert {
    condition     = jsondecode(aws_s3_object.policy.content).approver_principals == { release-manager = "one@acme.example" } && local.environment.LINKS_BASE_URL == "https://approvals.acme.example"
    error_message = "The functions receive the API's principals and the links' base address."
  }
}

run "an_action_without_a_rule_causes_a_warning" {
  command = plan

  variables {
    catalog_dir = "../tests/fixtures/terraform/catalogs/default_rules"
    approvals   = { rules = [{ actions = ["create_service", "upscale_service", "downscale_service", "delete_service", "create_bucket", "delete_bucket"], environments = ["*"] }] }
  }

  expect_failures = [check.approval_rules]
}

run "default_rules_are_for_the_actions_of_any_catalog" {
  command = plan

  variables {
    catalog_dir = "../tests/catalogs/acme"
    github      = { repositories = { for unit in ["pay", "shop", "core"] : unit => { name = "acme/${unit}" } } }
    approvals   = { environments_without_approval = ["dev"] }
  }

  assert {
    condition = [for rule in jsondecode(aws_s3_object.policy.content).rules : "${join(",", rule.actions)} ${join(",", rule.environments)} ${rule.approval == null ? "" : "approval"}"] == [
      "create_service * ",
      "configure_service,redeploy_service dev ",
      "delete_service dev ",
      "configure_service,redeploy_service,delete_service * approval",
    ]
    error_message = "The rules follow from Port's operations."
  }
}
