variables {
  artifacts_dir = "../artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "port_base_url_with_slash_at_the_end_is_refused" {
  command = plan

  variables {
    port = { org_id = "org_test", base_url = "https://api.port.io/" }
  }

  expect_failures = [var.port]
}

run "port_app_url_without_scheme_is_refused" {
  command = plan

  variables {
    port = { org_id = "org_test", app_url = "app.port.io" }
  }

  expect_failures = [var.port]
}

run "port_org_id_with_a_dot_is_refused" {
  command = plan

  variables {
    port = { org_id = "org.test" }
  }

  expect_failures = [var.port]
}

run "empty_port_org_id_is_refused" {
  command = plan

  variables {
    port = { org_id = "" }
  }

  expect_failures = [var.port]
}

run "unknown_port_signature_is_refused" {
  command = plan

  variables {
    port = { org_id = "org_test", signature = "maybe" }
  }

  expect_failures = [var.port]
}

run "github_api_url_with_slash_at_the_end_is_refused" {
  command = plan

  variables {
    github = { services_repo = "acme/services", api_url = "https://api.github.com/" }
  }

  expect_failures = [var.github]
}

run "github_services_repo_without_owner_is_refused" {
  command = plan

  variables {
    github = { services_repo = "services" }
  }

  expect_failures = [var.github]
}

run "github_base_branch_with_space_is_refused" {
  command = plan

  variables {
    github = { services_repo = "acme/services", base_branch = "my branch" }
  }

  expect_failures = [var.github]
}

run "github_reviewer_written_as_mention_is_refused" {
  command = plan

  variables {
    github = { services_repo = "acme/services", team_reviewers = { a = ["@octocat"] } }
  }

  expect_failures = [var.github]
}

run "unknown_architecture_is_refused" {
  command = plan

  variables {
    functions = { architecture = "amd64" }
  }

  expect_failures = [var.functions]
}

run "too_little_memory_is_refused" {
  command = plan

  variables {
    functions = { memory_mb = 127 }
  }

  expect_failures = [var.functions]
}

run "too_much_memory_is_refused" {
  command = plan

  variables {
    functions = { memory_mb = 10241 }
  }

  expect_failures = [var.functions]
}

run "timeout_beyond_the_event_sources_is_refused" {
  command = plan

  variables {
    functions = { timeout_seconds = 841 }
  }

  expect_failures = [var.functions]
}

run "timeout_shorter_than_the_waiting_in_the_process_is_refused" {
  command = plan

  variables {
    functions = { timeout_seconds = 29 }
  }

  expect_failures = [var.functions]
}

run "unknown_log_level_is_refused" {
  command = plan

  variables {
    functions = { log_level = "WARN" }
  }

  expect_failures = [var.functions]
}

run "retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan

  variables {
    functions = { log_retention_days = 31 }
  }

  expect_failures = [var.functions]
}

run "concurrency_of_none_is_refused" {
  command = plan

  variables {
    functions = { reserved_concurrency = 0 }
  }

  expect_failures = [var.functions]
}

run "missing_artifacts_are_refused" {
  command = plan

  variables {
    artifacts_dir = "../nothing"
  }

  expect_failures = [var.artifacts_dir]
}

run "too_long_name_prefix_is_refused" {
  command = plan

  variables {
    name_prefix = "a234567890123456789012345"
  }

  expect_failures = [var.name_prefix]
}

run "name_prefix_in_upper_case_is_refused" {
  command = plan

  variables {
    name_prefix = "Slipway"
  }

  expect_failures = [var.name_prefix]
}

run "alarm_action_that_is_no_arn_is_refused" {
  command = plan

  variables {
    alarm_actions = ["someone@example.com"]
  }

  expect_failures = [var.alarm_actions]
}

run "permissions_boundary_that_is_a_role_is_refused" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:role/boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "negative_secret_version_is_refused" {
  command = plan

  variables {
    secret_versions = { kafka = -1 }
  }

  expect_failures = [var.secret_versions]
}

run "too_short_port_client_secret_is_refused" {
  command = plan

  variables {
    port_credentials = { client_id = "id", client_secret = "short" }
  }

  expect_failures = [var.port_credentials]
}

run "github_app_without_key_is_refused" {
  command = plan

  variables {
    github_credentials = { app_id = 1, installation_id = 2 }
  }

  expect_failures = [var.github_credentials]
}

run "github_app_and_token_together_are_refused" {
  command = plan

  variables {
    github_credentials = { app_id = 1, installation_id = 2, private_key = "key", token = "token" }
  }

  expect_failures = [var.github_credentials]
}

run "empty_kafka_password_is_refused" {
  command = plan

  variables {
    kafka_credentials  = { username = "user", password = "" }
    mirror_credentials = { username = "reader", password = "password" }
  }

  expect_failures = [var.kafka_credentials]
}
