variable "name_prefix" {
  description = "What the names begin with."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts the records."
  type        = string
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted and the bucket must be empty for it."
  type        = bool
}

variable "alarm_actions" {
  description = "ARNs that are told when an alarm begins and ends."
  type        = list(string)
}

variable "lifecycle_rules" {
  description = "Whether old records expire."
  type        = bool
}
