variable "reports" {
  description = <<-EOT
    Who may request reports of merged or closed pull requests, and how often.
    issuer: of GitHub's OpenID Connect tokens. Null: that of github.com, of GHE.com or of GitHub Enterprise Server, by
    `github.api_url`. An enterprise may have its own (`…/<enterprise>`).
    base_url: base address, if the API has another address than its own, for example a custom domain.
      `{api_id}` is replaced by the API's id. Null: the API's own address.
    per_minute: how many reports a repository may request per minute.
    throttle_rate, throttle_burst: requests per second and burst, before the function is called.
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
    error_message = "reports: issuer and base_url must be http(s) addresses without a trailing slash."
  }

  validation {
    condition = alltrue([
      for number in [var.reports.per_minute, var.reports.throttle_rate, var.reports.throttle_burst] : number >= 1 && number <= 10000 && floor(number) == number
    ])
    error_message = "reports: per_minute, throttle_rate and throttle_burst must be whole numbers from 1 to 10000."
  }
}
