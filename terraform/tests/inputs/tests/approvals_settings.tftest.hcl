variables {
  artifacts_dir = "../artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "an_alias_of_an_alias_is_refused" {
  command = plan

  variables {
    approvals = { domain_aliases = { "acme.io" = "acme.test", "acme.test" = "acme.example" } }
  }

  expect_failures = [var.approvals]
}

run "an_alias_in_upper_case_is_refused" {
  command = plan

  variables {
    approvals = { domain_aliases = { "Acme.io" = "acme.example" } }
  }

  expect_failures = [var.approvals]
}

run "an_alias_of_an_address_is_refused" {
  command = plan

  variables {
    approvals = { domain_aliases = { "acme.io" = "one@acme.example" } }
  }

  expect_failures = [var.approvals]
}

run "scaling_to_less_than_nothing_is_refused" {
  command = plan

  variables {
    approvals = { scale = { min = -1 } }
  }

  expect_failures = [var.approvals]
}

run "a_minimum_over_the_maximum_is_refused" {
  command = plan

  variables {
    approvals = { scale = { min = 3, max = 2 } }
  }

  expect_failures = [var.approvals]
}

run "a_default_step_over_the_longest_is_refused" {
  command = plan

  variables {
    approvals = { scale = { default_step = 6 } }
  }

  expect_failures = [var.approvals]
}

run "a_step_of_nothing_is_refused" {
  command = plan

  variables {
    approvals = { scale = { default_step = 0 } }
  }

  expect_failures = [var.approvals]
}

run "half_a_replica_is_refused" {
  command = plan

  variables {
    approvals = { scale = { max = 2.5 } }
  }

  expect_failures = [var.approvals]
}

run "a_principal_with_a_path_is_refused" {
  command = plan

  variables {
    approvals = { approver_principals = { "teams/devops" = "one@acme.example" } }
  }

  expect_failures = [var.approvals]
}

run "a_principal_without_an_address_is_refused" {
  command = plan

  variables {
    approvals = { approver_principals = { devops = "one" } }
  }

  expect_failures = [var.approvals]
}

run "a_role_that_many_people_have_is_refused" {
  command = plan

  variables {
    approvals = { approver_principals = { AWSReservedSSO_Admin_0123456789abcdef = "one@acme.example" } }
  }

  expect_failures = [var.approvals]
}

run "an_unknown_audit_mode_is_refused" {
  command = plan

  variables {
    approvals = { audit = { mode = "compliance" } }
  }

  expect_failures = [var.approvals]
}

run "an_audit_of_no_days_is_refused" {
  command = plan

  variables {
    approvals = { audit = { retention_days = 0 } }
  }

  expect_failures = [var.approvals]
}

run "an_audit_of_more_than_s3_keeps_is_refused" {
  command = plan

  variables {
    approvals = { audit = { retention_days = 36501 } }
  }

  expect_failures = [var.approvals]
}

run "no_requests_a_second_are_refused" {
  command = plan

  variables {
    approvals = { api = { throttle_rate = 0 } }
  }

  expect_failures = [var.approvals]
}

run "more_requests_a_second_than_an_account_has_are_refused" {
  command = plan

  variables {
    approvals = { api = { throttle_rate = 10001 } }
  }

  expect_failures = [var.approvals]
}

run "no_requests_at_once_are_refused" {
  command = plan

  variables {
    approvals = { api = { throttle_burst = 0 } }
  }

  expect_failures = [var.approvals]
}

run "half_a_request_at_once_is_refused" {
  command = plan

  variables {
    approvals = { api = { throttle_burst = 1.5 } }
  }

  expect_failures = [var.approvals]
}

run "links_base_url_with_slash_at_the_end_is_refused" {
  command = plan

  variables {
    links_base_url = "https://approvals.acme.example/"
  }

  expect_failures = [var.links_base_url]
}

run "links_base_url_without_scheme_is_refused" {
  command = plan

  variables {
    links_base_url = "approvals.acme.example"
  }

  expect_failures = [var.links_base_url]
}

run "a_webhook_without_tls_is_refused" {
  command = plan

  variables {
    slack_webhook_url = "http://hooks.slack.com/services/T0/B0/x"
  }

  expect_failures = [var.slack_webhook_url]
}

run "a_webhook_that_is_no_address_is_refused" {
  command = plan

  variables {
    slack_webhook_url = "T0/B0/x"
  }

  expect_failures = [var.slack_webhook_url]
}

run "half_a_version_of_the_key_of_links_is_refused" {
  command = plan

  variables {
    secret_versions = { links = 1.5 }
  }

  expect_failures = [var.secret_versions]
}
