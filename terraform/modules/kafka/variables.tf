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
  })
}

variable "subnet_ids" {
  description = "A subnet per zone."
  type        = list(string)
}

variable "security_group_id" {
  description = "Group of the brokers."
  type        = string
}

variable "log_retention_days" {
  description = "How long the brokers' log is kept."
  type        = number
}
