variables {
  artifacts_dir = "../artifacts"
  port          = { org_id = "org_test" }
  github        = { services_repo = "acme/services" }
}

run "a_range_that_is_none_a_probe_without_a_group_and_an_empty_name_are_refused" {
  command = plan

  variables {
    network            = { cidr = "10.0.0.0" }
    health_probe       = { vpc = { subnet_ids = ["subnet-a"], security_group_ids = [] } }
    mirror_credentials = { username = "", password = "password" }
    observability      = { runbook_url = "https://acme.example/runbook#top" }
  }

  expect_failures = [var.network, var.health_probe, var.mirror_credentials, var.observability]
}

run "a_range_too_small_for_three_zones_is_refused" {
  command = plan

  variables {
    network       = { cidr = "10.0.0.0/27" }
    observability = { record_age_seconds = 59 }
    health_probe  = { vpc = { subnet_ids = ["vpc-a"], security_group_ids = ["sg-a"] } }
  }

  expect_failures = [var.network, var.observability, var.health_probe]
}

run "a_range_too_small_for_a_mirror_is_refused" {
  command = plan

  variables {
    kafka        = { mode = "msk", create = {} }
    network      = { cidr = "10.0.0.0/26" }
    kafka_mirror = { plugin = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip" } }
  }

  expect_failures = [var.network]
}

run "a_vpc_without_subnets_is_refused" {
  command = plan

  variables {
    network   = { vpc_id = "vpc-a" }
    approvals = { api = { resource_policy = "everybody" } }
  }

  expect_failures = [var.network, var.approvals]
}

run "one_subnet_is_refused" {
  command = plan

  variables {
    network = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-a"] }
  }

  expect_failures = [var.network]
}

run "a_group_without_its_vpc_is_refused" {
  command = plan

  variables {
    network = { security_group_id = "sg-a" }
  }

  expect_failures = [var.network]
}

run "an_id_of_something_else_is_refused" {
  command = plan

  variables {
    network = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "sg-a"] }
  }

  expect_failures = [var.network]
}

run "a_mirror_to_a_cluster_without_its_group_is_refused" {
  command = plan

  variables {
    kafka        = { mode = "msk", authentication = "IAM", cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" }
    network      = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-b"] }
    kafka_mirror = { plugin = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip" } }
  }

  expect_failures = [var.network]
}

run "a_mirror_without_msk_is_refused" {
  command = plan

  variables {
    kafka_mirror = { plugin = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip" } }
  }

  expect_failures = [var.kafka_mirror]
}

run "brokers_with_two_ports_are_refused" {
  command = plan

  variables {
    kafka        = { mode = "msk", create = {} }
    kafka_mirror = { source_servers = ["a.example.com:9096", "b.example.com:9097"], plugin = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip" } }
  }

  expect_failures = [var.kafka_mirror]
}

run "an_archive_without_its_buckets_arn_is_refused" {
  command = plan

  variables {
    kafka        = { mode = "msk", create = {} }
    kafka_mirror = { plugin = { bucket_arn = "acme-plugins", key = "mm2.zip" } }
  }

  expect_failures = [var.kafka_mirror]
}
