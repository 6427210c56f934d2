variable "artifacts_dir" {
  description = "Folder with the archives. Null: `build/` beside the module."
  type        = string
  default     = null
}

variable "mode" {
  description = "Source of the records: `external`, any SCRAM cluster, for example Port's own; `msk`, a cluster that the stack creates; or `webhook`."
  type        = string
  default     = "external"
}

variable "catalog" {
  description = "Your own catalog: its folder, the repositories by key, environments to repair, and health URLs. Null: the shipped one."
  type = object({
    dir               = string
    name_prefix       = string
    identifier_prefix = string
    repositories      = map(string)
    environments      = list(string)
  })
  default = null
}

variable "sandbox" {
  description = "Values of the running sandbox. Addresses do not end with a slash."
  type = object({
    aws_url                 = optional(string, "http://127.0.0.1:4566")
    port_url                = optional(string, "http://127.0.0.1:3100")
    org_id                  = optional(string, "org_sandbox")
    github_api_url          = optional(string, "http://127.0.0.1:3200/api/v3")
    services_repo           = optional(string, "acme/services")
    cluster_url             = optional(string, "http://127.0.0.1:3300")
    kafka_bootstrap_servers = optional(list(string), ["127.0.0.1:9092"])
    architecture            = optional(string, "x86_64") # the host's: functions are processes
  })
  default = {}
}

# Ephemeral: only the apply that writes a secret needs its value, for example from
# TF_VAR_port_credentials.
variable "port_credentials" {
  description = "Port's client id and secret."
  type        = map(string)
  default     = null
  ephemeral   = true
}

variable "github_credentials" {
  description = "An App's app_id, installation_id and private_key, or a token."
  type        = map(string)
  default     = null
  ephemeral   = true
}

variable "kafka_credentials" {
  description = "User name and password of Port's Kafka."
  type        = map(string)
  default     = null
  ephemeral   = true
}
