variables {
  artifacts_dir = "../artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "an_approver_without_a_domain_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["devops"] } }
  }

  expect_failures = [var.approvals]
}

run "an_approver_with_a_space_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["dev ops@acme.example"] } }
  }

  expect_failures = [var.approvals]
}

run "an_approver_of_a_rule_without_a_domain_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["delete_service"], environments = ["*"], approval = { emails = ["devops@"] } }] }
  }

  expect_failures = [var.approvals]
}

run "a_too_long_address_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["${join("", [for _ in range(250) : "a"])}@a.io"] } }
  }

  expect_failures = [var.approvals]
}

run "a_team_without_a_name_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { teams = [" "] } }
  }

  expect_failures = [var.approvals]
}

run "a_team_of_a_rule_without_a_name_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["delete_service"], environments = ["*"], approval = { teams = [""] } }] }
  }

  expect_failures = [var.approvals]
}

run "no_approval_needed_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["one@acme.example"], count = 0 } }
  }

  expect_failures = [var.approvals]
}

run "too_many_approvals_are_refused" {
  command = plan

  variables {
    approvals = { approvers = { teams = ["devops"], count = 11 } }
  }

  expect_failures = [var.approvals]
}

run "half_an_approval_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["delete_service"], environments = ["*"], approval = { teams = ["a"], count = 1.5 } }] }
  }

  expect_failures = [var.approvals]
}

run "more_approvals_than_approvers_are_refused" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["one@acme.example"], count = 2 } }
  }

  expect_failures = [var.approvals]
}

run "two_spellings_of_one_approver_are_one" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["one@acme.example", "One@acme.example"], count = 2 } }
  }

  expect_failures = [var.approvals]
}

run "more_approvals_in_a_rule_than_approvers_are_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["delete_service"], environments = ["*"], approval = { emails = ["one@acme.example"], count = 2 } }] }
  }

  expect_failures = [var.approvals]
}

run "more_approvals_in_a_rule_than_the_approvers_it_inherits_are_refused" {
  command = plan

  variables {
    approvals = { approvers = { emails = ["one@acme.example"] }, rules = [{ actions = ["delete_service"], environments = ["*"], approval = { count = 2 } }] }
  }

  expect_failures = [var.approvals]
}

run "a_wait_of_four_seconds_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { expires_after_seconds = 4, remind_before_seconds = 0 } }
  }

  expect_failures = [var.approvals]
}

run "a_wait_of_more_than_30_days_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { expires_after_seconds = 2592001 } }
  }

  expect_failures = [var.approvals]
}

run "a_wait_of_no_whole_seconds_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["delete_service"], environments = ["*"], approval = { teams = ["a"], expires_after_seconds = 10000.5 } }] }
  }

  expect_failures = [var.approvals]
}

run "a_reminder_less_than_five_seconds_before_the_end_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { remind_before_seconds = 4 } }
  }

  expect_failures = [var.approvals]
}

run "a_reminder_at_the_beginning_is_refused" {
  command = plan

  variables {
    approvals = { approvers = { expires_after_seconds = 3600, remind_before_seconds = 3600 } }
  }

  expect_failures = [var.approvals]
}

run "a_reminder_of_a_rule_before_its_beginning_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["delete_service"], environments = ["*"], approval = { teams = ["a"], expires_after_seconds = 3600 } }] }
  }

  expect_failures = [var.approvals]
}

run "a_rule_for_an_unknown_action_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["restart_service"], environments = ["*"] }] }
  }

  expect_failures = [var.approvals]
}

run "a_rule_for_decisions_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["approval"], environments = ["*"] }] }
  }

  expect_failures = [var.approvals]
}

run "a_rule_without_actions_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = [], environments = ["*"] }] }
  }

  expect_failures = [var.approvals]
}

run "a_rule_without_environments_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["*"], environments = [] }] }
  }

  expect_failures = [var.approvals]
}

run "a_rule_for_an_environment_without_a_name_is_refused" {
  command = plan

  variables {
    approvals = { rules = [{ actions = ["*"], environments = [""] }] }
  }

  expect_failures = [var.approvals]
}
