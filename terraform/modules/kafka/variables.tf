variable "name" {
  description = "The cluster's name."
  type        = string
}

variable "settings" {
  description = "The cluster to create; the root's variable `kafka` describes it."
  type = object({
    type                 = string
    kafka_version        = string
    broker_instance_type = string
    brokers_per_zone     = number
    volume_gib           = number
    volume_gib_max       = number
  })
}

variable "authentication" {
  description = "How readers sign in to a provisioned cluster: `SCRAM` or `IAM`. Principals with permissions can always use IAM."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts the brokers' volumes and log."
  type        = string
}

variable "storage_scaling" {
  description = "Whether the brokers' volumes grow automatically, up to `volume_gib_max`."
  type        = bool
}

variable "subnet_ids" {
  description = "A subnet per zone."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the brokers."
  type        = string
}

variable "logs" {
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}
