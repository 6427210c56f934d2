variable "name" {
  description = "The cluster's name."
  type        = string
}

variable "settings" {
  description = "What cluster to make; the root's variable `kafka` describes it."
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
  description = "How readers sign in to a provisioned cluster beside IAM, which everybody may use who has the rights: `SCRAM` or `IAM`."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts the brokers' volumes and log."
  type        = string
}

variable "storage_scaling" {
  description = "Whether the brokers' volumes grow by themselves, up to `volume_gib_max`."
  type        = bool
}

variable "subnet_ids" {
  description = "A subnet per zone."
  type        = list(string)
}

variable "security_group_id" {
  description = "Group of the brokers."
  type        = string
}

variable "logs" {
  description = "What the names of log groups begin with, and for how many days they are kept."
  type        = object({ prefix = string, retention_days = number })
}
