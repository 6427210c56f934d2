variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "Prefix of the names."
  type        = string
}

variable "existing_key" {
  description = "KMS key to use instead of creating one."
  type        = object({ arn = string })
  default     = null
}

variable "kafka" {
  description = "Whether records come from Kafka, which asks for a secret to sign in."
  type        = bool
  default     = true
}

variable "msk" {
  description = "Whether the Kafka secret is for MSK, which accepts only names that begin with `AmazonMSK_`."
  type        = bool
}

variable "mirror" {
  description = "Whether a mirror signs in to Port's Kafka with its own secret."
  type        = bool
  default     = false
}

variable "versions" {
  description = "Version number of each value; a higher number writes the value again, 0 never. slack 0: no secret."
  type = object({
    port   = number
    github = number
    kafka  = number
    mirror = optional(number, 1)
    links  = number
    slack  = number
  })
}

variable "port_credentials" {
  description = "Port's client id and secret; null when its version did not rise."
  type = object({
    client_id     = string
    client_secret = string
  })
  ephemeral = true
}

variable "github_credentials" {
  description = "An App's app_id, installation_id and private_key, or a token; null when its version did not rise."
  type = object({
    app_id          = optional(number)
    installation_id = optional(number)
    private_key     = optional(string)
    token           = optional(string)
  })
  ephemeral = true
}

variable "kafka_credentials" {
  description = "User name and password for SASL/SCRAM; null when its version did not rise."
  type = object({
    username = string
    password = string
  })
  ephemeral = true
}

variable "mirror_credentials" {
  description = "User name and password of Port's Kafka for the mirror; null when its version did not rise."
  type = object({
    username = string
    password = string
  })
  default   = null
  ephemeral = true
}

variable "slack_webhook_url" {
  description = "Slack's incoming webhook; null when its version did not rise."
  type        = string
  ephemeral   = true
}

variable "deletion_protection" {
  description = "Whether deleted secrets and the deleted key can be restored for 30 days."
  type        = bool
}
