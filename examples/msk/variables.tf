variable "artifacts_dir" {
  description = "Folder with the archives. Null: `build/` beside the module."
  type        = string
  default     = null
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

variable "mirror_credentials" {
  description = "User name and password of Port's Kafka, for the mirror."
  type        = map(string)
  default     = null
  ephemeral   = true
}

variable "mirrored" {
  description = "Whether to create the mirror. False for the first apply, because scripts/topics creates its topics afterwards."
  type        = bool
  default     = true
}
