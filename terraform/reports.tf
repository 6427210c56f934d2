# Reports of pull requests, requested by a GitHub workflow (GitHub has no secret of Port), and Port's webhook.
locals {
  invocation_uri_prefix = "arn:${local.account.partition}:apigateway:${local.account.region}:lambda:path/2015-03-31/functions"

  # https://docs.github.com/en/actions/reference/security/oidc
  github_host = regex("^https?://([^/]+)", var.github.api_url)[0]
  oidc_issuer = coalesce(
    var.reports.issuer,
    local.github_host == "api.github.com" ? "https://token.actions.githubusercontent.com" : null,
    can(regex("^api\\..+\\.ghe\\.com$", local.github_host)) ? "https://token.actions.${trimprefix(local.github_host, "api.")}" : null,
    "${trimsuffix(var.github.api_url, "/api/v3")}/_services/token",
  )
}

module "reports" {
  source = "./modules/reports"

  name_prefix    = var.name_prefix
  invocation_uri = "${local.invocation_uri_prefix}/${local.function_alias_arns["report_pull_request"]}/invocations"
  webhook = local.by_webhook ? {
    invocation_uri = "${local.invocation_uri_prefix}/${local.function_alias_arns["receive_webhook"]}/invocations"
    throttle_rate  = var.run_source.throttle_rate
    throttle_burst = var.run_source.throttle_burst
  } : null
  throttle_rate  = var.reports.throttle_rate
  throttle_burst = var.reports.throttle_burst
  base_url       = var.reports.base_url
  key_arn        = module.secrets.key_arn
  logs           = local.logs

  # API Gateway accepts an access log only after it has a role to write it, which that module
  # creates.
  depends_on = [module.approval]
}
