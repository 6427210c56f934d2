# The installation on one machine. What only the running sandbox knows comes as -var or -var-file beside
# this file: port, github, kafka with its bootstrap_servers, functions with the host's architecture,
# links_base_url if AWS is at another port, and the three credentials.
name_prefix         = "slipway"
deletion_protection = false
features            = { records_lifecycle = false, xray_group = false, broker_storage_scaling = false }
tags                = { Environment = "sandbox" }
links_base_url      = "http://127.0.0.1:4566/_aws/execute-api/{api_id}/live"

approvals = {
  approvers           = { emails = ["devops@acme.example"], teams = ["devops"] }
  domain_aliases      = { "acme.test" = "acme.example" }
  approver_principals = { slipway-approver = "devops@acme.example" }
  # So that the sandbox can be taken away.
  audit = { mode = "GOVERNANCE", retention_days = 1 }
}
