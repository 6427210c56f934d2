# The installation on one machine. What only the running sandbox knows comes as -var or -var-file beside
# this file: port, github, kafka with its bootstrap_servers, functions with the host's architecture,
# links_base_url, reports and deployed_service where parts are at other ports, and the three credentials.
name_prefix         = "slipway"
deletion_protection = false
features            = { records_lifecycle = false, xray_group = false, broker_storage_scaling = false }

# With the stack's own two, more than S3 takes of an object.
tags = {
  Environment = "sandbox", CostCenter = "1", Owner = "platform", Team = "platform", Contact = "platform", Tier = "1"
  Repository  = "slipway", Criticality = "low", Backup = "no"
}
links_base_url   = "http://127.0.0.1:4566/_aws/execute-api/{api_id}/live"
reports          = { base_url = "http://127.0.0.1:4566/_aws/execute-api/{api_id}/live" }
deployed_service = { urls = { health_url = "http://127.0.0.1:3300/services/{service}/health" } }

# Quicker than anywhere else, so that one can watch. The cluster's health URLs are on this machine.
health_probe = {
  allowed_cidrs = ["127.0.0.0/8"]
  allowed_ports = [3300]
  trusted_urls  = ["http://127.0.0.1:3300/services/"]
  canary_url    = "http://127.0.0.1:3300/services"
}

remediation = {
  strategies = [
    { kind = "restart", wait_seconds = 5 },
    { kind = "roll_back", wait_seconds = 5, auto_merge = true },
    { kind = "scale_up", wait_seconds = 5, max_replicas = 5 },
  ]
  environments            = ["Test", "Staging", "Production"]
  approval_environments   = ["Production"]
  auto_merge_environments = ["Test", "Staging", "Production"]
  max_per_hour            = 5
  # Above what a soak breaks at once.
  max_repairs  = 100
  verify       = { probes = 4, interval_seconds = 1, healthy_after = 2, ill_after = 2 }
  settle       = { probes = 6, interval_seconds = 1, healthy_after = 2, ill_after = 6 }
  alert_emails = ["platform@acme.example"]
}

# What a team may hang on the change log: here a machine that keeps which services were scaled.
subscriptions = [{
  name          = "scaling-log"
  state_machine = "team-scaling-log"
  filter        = { blueprint = "service", changed = ["replicas"] }
}]

sweep = { rate_minutes = 1 }

alarm_emails = ["operator@acme.example"]

approvals = {
  approvers           = { emails = ["devops@acme.example"], teams = ["devops"] }
  domain_aliases      = { "acme.test" = "acme.example" }
  approver_principals = { slipway-approver = "devops@acme.example" }
  # So that the sandbox can be taken away.
  audit = { mode = "GOVERNANCE", retention_days = 1 }
  # The form of AWS's own examples; a second plan must find nothing to change.
  api = { resource_policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
         "Condition": {"StringEquals": {"aws:PrincipalAccount": "000000000000"}}},
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
         "Resource": ["execute-api:/live/GET/links/*", "execute-api:/live/POST/links/*"]}
      ]
    }
  EOT
  }
}
