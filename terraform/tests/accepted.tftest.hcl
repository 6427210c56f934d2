# Whether AWS's provider takes what the limits of the variables allow, all of it at once. What each variable accepts
# and refuses: tests/terraform/variables.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  artifacts_dir = "./tests/artifacts"
}

run "the_upper_limits_can_be_planned" {
  command = plan

  variables {
    port                     = { org_id = "org_test", base_url = "https://api.us.port.io", signature = "required" }
    github                   = { repositories = { services = { name = "acme/services.prod", base_branch = "release/1.x", installation_id = "2" } }, api_url = "https://git.acme.example/api/v3", team_reviewers = { "Team A" = ["octocat", "team:platform"] } }
    functions                = { architecture = "x86_64", memory_mb = 10240, timeout_seconds = 840, log_level = "DEBUG", log_retention_days = 3653, reserved_concurrency = { approval = 1 } }
    name_prefix              = "a23456789012345678901234"
    alarm_emails             = ["one+alarms@sub.acme.example"]
    alarm_actions            = ["arn:aws:sns:eu-west-1:111122223333:alarms"]
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    secret_versions          = { port = 0, github = 7, links = 0, slack = 1 }
    port_credentials         = { client_id = "id", client_secret = "0123456789abcdef0123456789abcdef" }
    github_credentials       = { app_id = 1, installation_id = 2, private_key = "key" }
    kafka_credentials        = { username = "user", password = "password" }
    mirror_credentials       = { username = "reader", password = "password" }
    slack_webhook_url        = "https://hooks.slack.com/services/T0/B0/x"

    kafka               = { mode = "msk", authentication = "IAM", cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" }
    provisioned_pollers = { min = 200, max = 2000, maximum_retry_attempts = 10000, maximum_record_age_seconds = 604800 }
    network             = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-b"], security_group_id = "sg-a" }
    kafka_mirror        = { source_servers = ["kafka.example.com:9096"], plugin = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip", version = "1", sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" } }

    catalog_dir = "../tests/fixtures/terraform/catalogs/default_rules"
    approvals = {
      approvers           = { emails = ["one@acme.example", "two+work@sub.acme.example"], teams = ["Platform Team"], count = 10, expires_after_seconds = 2592000, remind_before_seconds = 2591999 }
      domain_aliases      = { "acme.io" = "acme.example", "acme.test" = "acme.example" }
      limits              = { upscale_service = { min = 20, max = 20, max_step = 7, default_step = 7 } }
      approver_principals = { "release.manager+1" = "one@acme.example" }
      audit               = { mode = "COMPLIANCE", retention_days = 36500 }
      api                 = { throttle_rate = 10000, throttle_burst = 5000, manage_account = true }
      rules = [
        { actions = ["*"], environments = ["*"], approval = { emails = ["one@acme.example", "two@acme.example"], count = 2 } },
        { actions = ["*"], environments = ["my own"], approval = { teams = ["a"], count = 10 }, auto_merge = true },
      ]
    }
    links_base_url    = "https://approvals.acme.example/{api_id}/live"
    reports           = { issuer = "https://token.actions.githubusercontent.com/acme", base_url = "https://reports.acme.example/{api_id}", per_minute = 10000, throttle_rate = 10000, throttle_burst = 10000 }
    catalog_settings  = { namespace = "{environment}-{service}", ttl_days = 99999, grafana_url = null, any = { list = [1, "a", true] } }
    identifier_prefix = "a2345678901234567890"

    remediation = {
      mode = "repair"
      strategies = [
        { kind = "restart", attempts = 3, wait_seconds = 3600 },
        { kind = "roll_back", wait_seconds = 3600, auto_merge = true },
        { kind = "scale_up", wait_seconds = 3600, step = 10, max_replicas = 1000 },
      ]
      environments            = ["Test", "Staging", "Production"]
      approval_environments   = ["Test", "Staging", "Production"]
      auto_merge_environments = []
      max_per_hour            = 20
      max_repairs             = 100
      quiet_seconds           = 604800
      verify                  = { probes = 60, interval_seconds = 600, healthy_after = 60, unhealthy_after = 60 }
      settle                  = { probes = 14, interval_seconds = 600, healthy_after = 14, unhealthy_after = 14 }
      alert_emails            = ["one+alerts@sub.acme.example"]
    }
    subscriptions = [
      { name = "a", state_machine = "m", filter = { blueprint = "service" } },
      { name = "b", state_machine = "m", filter = { blueprint = "service", changed = ["ttl"] } },
      { name = "c", state_machine = "m", filter = { blueprint = "team", properties = { x = ["y"] } } },
      { name = "d_-1", state_machine = "m", filter = { blueprint = "team", own_writes = true } },
    ]
    health_probe = {
      allowed_cidrs    = ["10.0.0.0/8", "2001:db8::/32"]
      allowed_ports    = [1, 65535]
      deadline_seconds = 10
      canary_url       = "http://canary.example:1/live"
      vpc              = { subnet_ids = ["subnet-a"], security_group_ids = ["sg-b"] }
    }
    sweep = { rate_minutes = 1440, never_received_seconds = 86400, report_seconds = 86400, pull_request_seconds = 31536000, reminder_seconds = 31535999, held_seconds = 2592000 }
  }

  assert {
    condition     = local.vpc_of_functions.probe_health.subnet_ids == tolist(["subnet-a"])
    error_message = "The function that probes is in the VPC."
  }

  assert {
    condition     = local.environment.GITHUB_OIDC_ISSUER == "https://token.actions.githubusercontent.com/acme"
    error_message = "The issuer is the enterprise's."
  }

  assert {
    condition     = alltrue([for name, vpc in local.vpc_of_functions : vpc == null || name == "probe_health"])
    error_message = "No other function is in the VPC."
  }
}

run "the_lower_limits_can_be_planned" {
  command = plan

  variables {
    port               = { org_id = "o" }
    github             = { repositories = { a = { name = "a/s" } } }
    functions          = { memory_mb = 128, timeout_seconds = 30, log_level = "ERROR", log_retention_days = 1 }
    name_prefix        = "abc"
    github_credentials = { token = "token" }

    kafka               = { bootstrap_servers = ["kafka-1.example.com:9096", "10.0.0.1:9096"] }
    provisioned_pollers = { min = 1, max = 1, maximum_retry_attempts = -1, maximum_record_age_seconds = -1 }

    approvals = {
      approvers = { emails = ["one@acme.example"], count = 1, expires_after_seconds = 5, remind_before_seconds = 0 }
      audit     = { mode = "GOVERNANCE", retention_days = 1 }
      api       = { throttle_rate = 1, throttle_burst = 1 }
      rules     = [{ actions = ["*"], environments = ["*"] }]

      environments_without_approval = []
    }
    links_base_url    = "http://127.0.0.1:4566"
    reports           = { per_minute = 1, throttle_rate = 1, throttle_burst = 1 }
    slack_webhook_url = "http://127.0.0.1:8080/hook"

    remediation = {
      mode          = "off"
      strategies    = []
      environments  = []
      max_per_hour  = 1
      quiet_seconds = 5
      verify        = { probes = 1, interval_seconds = 1, healthy_after = 1, unhealthy_after = 1 }
      settle        = { probes = 1, interval_seconds = 1, healthy_after = 1, unhealthy_after = 1 }
    }
    subscriptions = []
    health_probe  = { allowed_ports = [443], deadline_seconds = 0.1 }
    sweep         = { rate_minutes = 1, never_received_seconds = 60, report_seconds = 60, pull_request_seconds = 3600, reminder_seconds = 60, held_seconds = 3600 }
  }

  assert {
    condition     = output.kafka.bootstrap_servers == tolist(["kafka-1.example.com:9096", "10.0.0.1:9096"])
    error_message = "Named brokers replace Port's own."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.sweep.schedule_expression == "rate(1 minute)"
    error_message = "EventBridge refuses the plural."
  }
}
