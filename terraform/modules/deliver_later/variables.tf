variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The state machine's name."
  type        = string
}

variable "runs_table" {
  description = "Table whose row has the time (`resume_at`) and the recipient (`function_arn`) of a run's delivery."
  type        = object({ name = string, arn = string })
}

variable "records_bucket" {
  description = "Bucket with the waiting records, and the key that encrypts it."
  type        = object({ name = string, arn = string, key_arn = string })
}

variable "key_arn" {
  description = "KMS key that encrypts the log."
  type        = string
}

variable "function_alias_arns" {
  description = "The aliases that the machine may call."
  type        = list(string)
}

variable "function_timeout_seconds" {
  description = "Maximum duration of one of them."
  type        = number
}

variable "logs" {
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}
