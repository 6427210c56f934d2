# The values below are ephemeral: only an apply that writes them needs them, which is when their
# number in `secret_versions` rises. Neither the state nor a plan has them.

variable "secret_versions" {
  description = <<-EOT
    Raise a number to write the value of that secret again. 0: Terraform never writes the value; an operator does.
    kafka: of the cluster that functions read. With IAM it is not used: 0.
    mirror: of Port's cluster, for the mirror; without a mirror, no secret.
    links: the key that signs approval links, generated; links signed with the previous key stay valid.
    slack: 0: no secret, and no notifications by Slack.
  EOT
  type = object({
    port   = optional(number, 1)
    github = optional(number, 1)
    kafka  = optional(number, 1)
    mirror = optional(number, 1)
    links  = optional(number, 1)
    slack  = optional(number, 0)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : version >= 0 && floor(version) == version])
    error_message = "secret_versions must be whole numbers from 0."
  }
}

variable "port_credentials" {
  description = "Port's client id and secret."
  type = object({
    client_id     = string
    client_secret = string
  })
  default   = null
  ephemeral = true

  validation {
    condition     = var.port_credentials == null || try(length(var.port_credentials.client_id) > 0 && length(var.port_credentials.client_secret) >= 32, false)
    error_message = "port_credentials needs a client_id and a client_secret of at least 32 characters (its first 32 are the key of encrypted inputs)."
  }
}

variable "github_credentials" {
  description = "How Slipway signs in to GitHub: an App's app_id, installation_id and private_key (PEM), or a token."
  type = object({
    app_id          = optional(number)
    installation_id = optional(number)
    private_key     = optional(string)
    token           = optional(string)
  })
  default   = null
  ephemeral = true

  validation {
    condition = var.github_credentials == null || try(
      (var.github_credentials.token != null) != (
        var.github_credentials.app_id != null && var.github_credentials.installation_id != null && var.github_credentials.private_key != null
      ),
      false
    )
    error_message = "github_credentials needs either all of app_id, installation_id and private_key, or a token."
  }
}

variable "kafka_credentials" {
  description = "User name and password for SASL/SCRAM. Port shows them at GET /v1/kafka-credentials."
  type = object({
    username = string
    password = string
  })
  default   = null
  ephemeral = true

  validation {
    condition     = var.kafka_credentials == null || try(length(var.kafka_credentials.username) > 0 && length(var.kafka_credentials.password) > 0, false)
    error_message = "kafka_credentials needs a username and a password."
  }
}

variable "mirror_credentials" {
  description = "User name and password of Port's Kafka for `kafka_mirror`. Port shows them at GET /v1/kafka-credentials; `kafka_credentials` is then the MSK cluster's user."
  type = object({
    username = string
    password = string
  })
  default   = null
  ephemeral = true

  validation {
    condition     = var.mirror_credentials == null || try(length(var.mirror_credentials.username) > 0 && length(var.mirror_credentials.password) > 0, false)
    error_message = "mirror_credentials needs a username and a password."
  }
}

variable "slack_webhook_url" {
  description = "Incoming webhook of Slack, or a compatible service, that gets each approval request."
  type        = string
  default     = null
  ephemeral   = true

  validation {
    # Without TLS only on this machine, because the address is enough to write there.
    condition     = var.slack_webhook_url == null || can(regex("^(https://[^\\s/]+|http://(127\\.0\\.0\\.1|localhost)(:\\d+)?)/\\S+$", var.slack_webhook_url))
    error_message = "slack_webhook_url must be an https address, for example \"https://hooks.slack.com/services/…\"."
  }
}
