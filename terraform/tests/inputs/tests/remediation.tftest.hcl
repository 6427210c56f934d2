variables {
  artifacts_dir = "../artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "a_mode_that_is_none_is_refused" {
  command = plan

  variables {
    remediation = { mode = "on" }
  }

  expect_failures = [var.remediation]
}

run "a_strategy_that_is_none_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "reboot" }] }
  }

  expect_failures = [var.remediation]
}

run "a_strategy_twice_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "restart" }, { kind = "restart", attempts = 2 }] }
  }

  expect_failures = [var.remediation]
}

run "too_little_of_attempts_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", attempts = 0 }] }
  }

  expect_failures = [var.remediation]
}

run "too_much_of_attempts_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", attempts = 6 }] }
  }

  expect_failures = [var.remediation]
}

run "half_of_attempts_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", attempts = 1.5 }] }
  }

  expect_failures = [var.remediation]
}

run "too_little_of_wait_seconds_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", wait_seconds = 4 }] }
  }

  expect_failures = [var.remediation]
}

run "too_much_of_wait_seconds_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", wait_seconds = 3601 }] }
  }

  expect_failures = [var.remediation]
}

run "too_little_of_step_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", step = 0 }] }
  }

  expect_failures = [var.remediation]
}

run "too_much_of_step_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", step = 11 }] }
  }

  expect_failures = [var.remediation]
}

run "too_little_of_max_replicas_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", max_replicas = 0 }] }
  }

  expect_failures = [var.remediation]
}

run "too_much_of_max_replicas_is_refused" {
  command = plan

  variables {
    remediation = { strategies = [{ kind = "scale_up", max_replicas = 1001 }] }
  }

  expect_failures = [var.remediation]
}

run "an_environment_that_is_none_is_refused" {
  command = plan

  variables {
    remediation = { environments = ["Prod"] }
  }

  expect_failures = [var.remediation]
}

run "an_approval_where_nothing_is_repaired_is_refused" {
  command = plan

  variables {
    remediation = { environments = ["Test"], approval_environments = ["Production"] }
  }

  expect_failures = [var.remediation]
}

run "too_little_of_max_per_hour_is_refused" {
  command = plan

  variables {
    remediation = { max_per_hour = 0 }
  }

  expect_failures = [var.remediation]
}

run "too_much_of_max_per_hour_is_refused" {
  command = plan

  variables {
    remediation = { max_per_hour = 21 }
  }

  expect_failures = [var.remediation]
}

run "too_little_of_quiet_seconds_is_refused" {
  command = plan

  variables {
    remediation = { quiet_seconds = 4 }
  }

  expect_failures = [var.remediation]
}

run "too_much_of_quiet_seconds_is_refused" {
  command = plan

  variables {
    remediation = { quiet_seconds = 604801 }
  }

  expect_failures = [var.remediation]
}

run "verify_with_no_probes_is_refused" {
  command = plan

  variables {
    remediation = { verify = { probes = 0 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_61_probes_is_refused" {
  command = plan

  variables {
    remediation = { verify = { probes = 61 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_no_interval_is_refused" {
  command = plan

  variables {
    remediation = { verify = { interval_seconds = 0 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_an_interval_of_601_s_is_refused" {
  command = plan

  variables {
    remediation = { verify = { interval_seconds = 601 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_healthy_after_none_is_refused" {
  command = plan

  variables {
    remediation = { verify = { healthy_after = 0 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_healthy_after_more_than_are_sent_is_refused" {
  command = plan

  variables {
    remediation = { verify = { probes = 2, healthy_after = 3, ill_after = 1 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_ill_after_none_is_refused" {
  command = plan

  variables {
    remediation = { verify = { ill_after = 0 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_ill_after_more_than_are_sent_is_refused" {
  command = plan

  variables {
    remediation = { verify = { probes = 2, healthy_after = 1, ill_after = 3 } }
  }

  expect_failures = [var.remediation]
}

run "verify_with_half_a_probe_is_refused" {
  command = plan

  variables {
    remediation = { verify = { probes = 5.5 } }
  }

  expect_failures = [var.remediation]
}

run "settle_with_no_probes_is_refused" {
  command = plan

  variables {
    remediation = { settle = { probes = 0 } }
  }

  expect_failures = [var.remediation]
}

run "settle_with_half_a_probe_is_refused" {
  command = plan

  variables {
    remediation = { settle = { probes = 5.5 } }
  }

  expect_failures = [var.remediation]
}

run "an_address_that_is_none_is_refused" {
  command = plan

  variables {
    remediation = { alert_emails = ["devops"] }
  }

  expect_failures = [var.remediation]
}

run "a_name_with_a_space_is_refused" {
  command = plan

  variables {
    subscriptions = [{ name = "my own", state_machine = "m", filter = { blueprint = "b" } }]
  }

  expect_failures = [var.subscriptions]
}

run "a_machine_by_its_arn_is_refused" {
  command = plan

  variables {
    subscriptions = [{ name = "a", state_machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:m", filter = { blueprint = "b" } }]
  }

  expect_failures = [var.subscriptions]
}

run "a_name_twice_is_refused" {
  command = plan

  variables {
    subscriptions = [{ name = "a", state_machine = "m", filter = { blueprint = "b" } }, { name = "a", state_machine = "n", filter = { blueprint = "b" } }]
  }

  expect_failures = [var.subscriptions]
}

run "slipways_own_name_is_refused" {
  command = plan

  variables {
    subscriptions = [{ name = "health", state_machine = "m", filter = { blueprint = "b" } }]
  }

  expect_failures = [var.subscriptions]
}

run "a_filter_of_no_blueprint_is_refused" {
  command = plan

  variables {
    subscriptions = [{ name = "a", state_machine = "m", filter = { blueprint = " " } }]
  }

  expect_failures = [var.subscriptions]
}

run "a_property_without_values_is_refused" {
  command = plan

  variables {
    subscriptions = [{ name = "a", state_machine = "m", filter = { blueprint = "b", properties = { x = [] } } }]
  }

  expect_failures = [var.subscriptions]
}

run "a_fifth_subscription_is_refused" {
  command = plan

  variables {
    subscriptions = [for name in ["a", "b", "c", "d", "e"] : { name = name, state_machine = "m", filter = { blueprint = "b" } }]
  }

  expect_failures = [var.subscriptions]
}

run "a_network_that_is_none_is_refused" {
  command = plan

  variables {
    health_probe = { allowed_cidrs = ["10.0.0.0"] }
  }

  expect_failures = [var.health_probe]
}

run "no_port_at_all_is_refused" {
  command = plan

  variables {
    health_probe = { allowed_ports = [] }
  }

  expect_failures = [var.health_probe]
}

run "port_0_is_refused" {
  command = plan

  variables {
    health_probe = { allowed_ports = [0] }
  }

  expect_failures = [var.health_probe]
}

run "port_65536_is_refused" {
  command = plan

  variables {
    health_probe = { allowed_ports = [65536] }
  }

  expect_failures = [var.health_probe]
}

run "half_a_port_is_refused" {
  command = plan

  variables {
    health_probe = { allowed_ports = [80.5] }
  }

  expect_failures = [var.health_probe]
}

run "no_time_at_all_is_refused" {
  command = plan

  variables {
    health_probe = { deadline_seconds = 0 }
  }

  expect_failures = [var.health_probe]
}

run "a_deadline_of_11_s_is_refused" {
  command = plan

  variables {
    health_probe = { deadline_seconds = 11 }
  }

  expect_failures = [var.health_probe]
}
