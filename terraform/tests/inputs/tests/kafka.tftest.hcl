variables {
  artifacts_dir = "../artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "unknown_mode_is_refused" {
  command = plan

  variables {
    kafka = { mode = "confluent" }
  }

  expect_failures = [var.kafka]
}

run "broker_without_port_is_refused" {
  command = plan

  variables {
    kafka = { bootstrap_servers = ["kafka.example.com"] }
  }

  expect_failures = [var.kafka]
}

run "no_brokers_are_refused" {
  command = plan

  variables {
    kafka = { bootstrap_servers = [] }
  }

  expect_failures = [var.kafka]
}

run "cluster_arn_without_msk_mode_is_refused" {
  command = plan

  variables {
    kafka = { cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" }
  }

  expect_failures = [var.kafka]
}

run "iam_without_msk_mode_is_refused" {
  command = plan

  variables {
    kafka = { authentication = "IAM" }
  }

  expect_failures = [var.kafka]
}

run "msk_without_a_cluster_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk" }
  }

  expect_failures = [var.kafka]
}

run "msk_with_two_clusters_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = {}, cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" }
  }

  expect_failures = [var.kafka]
}

run "msk_with_bootstrap_servers_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = {}, bootstrap_servers = ["a:1"] }
  }

  expect_failures = [var.kafka]
}

run "cluster_arn_of_something_else_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:topic/runs/0a1b-1/t" }
  }

  expect_failures = [var.kafka]
}

run "unknown_authentication_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = {}, authentication = "TLS" }
  }

  expect_failures = [var.kafka]
}

run "serverless_with_scram_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = { type = "serverless" } }
  }

  expect_failures = [var.kafka]
}

run "unknown_type_of_cluster_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = { type = "express" } }
  }

  expect_failures = [var.kafka]
}

run "volume_that_may_not_grow_to_its_size_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = { volume_gib = 300, volume_gib_max = 200 } }
  }

  expect_failures = [var.kafka]
}

run "half_a_broker_is_refused" {
  command = plan

  variables {
    kafka = { mode = "msk", create = { brokers_per_zone = 1.5 } }
  }

  expect_failures = [var.kafka]
}

run "starting_position_by_time_is_refused" {
  command = plan

  variables {
    kafka = { starting_position = "AT_TIMESTAMP" }
  }

  expect_failures = [var.kafka]
}

run "no_minimum_of_pollers_is_refused" {
  command = plan

  variables {
    provisioned_pollers = { min = 0 }
  }

  expect_failures = [var.provisioned_pollers]
}

run "more_pollers_at_least_than_at_most_are_refused" {
  command = plan

  variables {
    provisioned_pollers = { min = 3, max = 2 }
  }

  expect_failures = [var.provisioned_pollers]
}

run "too_many_pollers_are_refused" {
  command = plan

  variables {
    provisioned_pollers = { max = 2001 }
  }

  expect_failures = [var.provisioned_pollers]
}

run "too_many_retries_are_refused" {
  command = plan

  variables {
    provisioned_pollers = { maximum_retry_attempts = 10001 }
  }

  expect_failures = [var.provisioned_pollers]
}

run "too_young_a_record_age_is_refused" {
  command = plan

  variables {
    provisioned_pollers = { maximum_record_age_seconds = 59 }
  }

  expect_failures = [var.provisioned_pollers]
}
