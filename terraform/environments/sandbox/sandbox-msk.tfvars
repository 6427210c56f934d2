# As sandbox.tfvars, but the records come from a cluster in the sandbox's MSK that the stack makes, and its mappings
# have provisioned pollers. The other name lets both installations live in one sandbox.
name_prefix         = "slipway-msk"
deletion_protection = false
features            = { records_lifecycle = false, xray_group = false, broker_storage_scaling = false }
tags                = { Environment = "sandbox" }
links_base_url      = "http://127.0.0.1:4566/_aws/execute-api/{api_id}/live"
reports             = { base_url = "http://127.0.0.1:4566/_aws/execute-api/{api_id}/live" }
deployed_service    = { urls = { health_url = "http://127.0.0.1:3300/services/{service}/health" } }

kafka = {
  mode           = "msk"
  authentication = "SCRAM"
  create         = { type = "provisioned" }
}

provisioned_pollers = { min = 1, max = 1 }

approvals = {
  approvers           = { emails = ["devops@acme.example"], teams = ["devops"] }
  domain_aliases      = { "acme.test" = "acme.example" }
  approver_principals = { slipway-approver = "devops@acme.example" }
  audit               = { mode = "GOVERNANCE", retention_days = 1 }
}
