variable "reports" {
  description = <<-EOT
    Who may ask for reports of pull requests that were merged or closed, and how often.
    issuer: of GitHub's OpenID Connect tokens. Null: that of github.com, of GHE.com or of GitHub Enterprise Server, as
      `github.api_url` says. An enterprise may have one of its own (`…/<enterprise>`).
    base_url: what the address begins with, if the API is reached by another than its own, as a custom domain.
      `{api_id}` stands for the API's id. Null: the API's own address.
    per_minute: how many reports a repository may ask for within a minute.
    throttle_rate, throttle_burst: requests a second, and at once, before the function is called.
  EOT
  type = object({
    issuer         = optional(string)
    base_url       = optional(string)
    per_minute     = optional(number, 60)
    throttle_rate  = optional(number, 20)
    throttle_burst = optional(number, 40)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^https?://[^\\s/]+(/[^\\s]*[^\\s/])?$", coalesce(var.reports.issuer, "https://example.com"))) && can(regex("^https?://[^\\s/]+(/[^\\s]*[^\\s/])?$", coalesce(var.reports.base_url, "https://example.com")))
    error_message = "reports: issuer and base_url must be http(s) addresses without a slash at the end."
  }

  validation {
    condition = alltrue([
      for number in [var.reports.per_minute, var.reports.throttle_rate, var.reports.throttle_burst] : number >= 1 && number <= 10000 && floor(number) == number
    ])
    error_message = "reports: per_minute, throttle_rate and throttle_burst must be whole numbers from 1 to 10000."
  }
}

variable "deployed_service" {
  description = <<-EOT
    What the catalogue shows of a service once it is merged. `{service}` and `{environment}` (in lower case) are
    replaced, in addresses `{namespace}` as well.
    namespace: where a service runs; the restart workflow is told it, too.
    urls: apps_chart_url, argocd_app_url, grafana_url and health_url; one that is left out stays empty in Port.
    ttl_days: days until a service must be reviewed. Null: no limit.
  EOT
  type = object({
    namespace = optional(string, "{service}")
    urls      = optional(map(string), {})
    ttl_days  = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(flatten(regexall("\\{([^{}]*)\\}", var.deployed_service.namespace)), ["service", "environment"])) == 0 && length(var.deployed_service.namespace) > 0
    error_message = "deployed_service.namespace may have the placeholders {service} and {environment}."
  }

  validation {
    condition     = length(setsubtract(keys(var.deployed_service.urls), ["apps_chart_url", "argocd_app_url", "grafana_url", "health_url"])) == 0
    error_message = "deployed_service.urls may have apps_chart_url, argocd_app_url, grafana_url and health_url."
  }

  validation {
    condition = alltrue([
      for url in values(var.deployed_service.urls) :
      can(regex("^https?://[^\\s/]+(/\\S*)?$", url)) && length(setsubtract(flatten(regexall("\\{([^{}]*)\\}", url)), ["service", "environment", "namespace"])) == 0
    ])
    error_message = "deployed_service.urls must be http(s) addresses with the placeholders {service}, {environment} and {namespace}."
  }

  validation {
    condition     = coalesce(var.deployed_service.ttl_days, 1) >= 1 && coalesce(var.deployed_service.ttl_days, 1) <= 99999 && floor(coalesce(var.deployed_service.ttl_days, 1)) == coalesce(var.deployed_service.ttl_days, 1)
    error_message = "deployed_service.ttl_days must be a whole number from 1 to 99999."
  }
}
