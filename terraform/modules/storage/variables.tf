variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "Prefix of the names."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts both buckets."
  type        = string
}

variable "deletion_protection" {
  description = "Whether tables are protected from deletion, and buckets must be empty to be deleted."
  type        = bool
}

variable "lifecycle_rules" {
  description = "Whether old records expire."
  type        = bool
}

variable "audit" {
  description = "Object Lock's default retention of the records of decisions: GOVERNANCE or COMPLIANCE, and days."
  type = object({
    mode           = string
    retention_days = number
  })
}

variable "existing_buckets" {
  description = "Buckets to use instead of creating them."
  type = object({
    records = optional(object({ name = string }))
    audit   = optional(object({ name = string }))
  })
  default = {}
}
