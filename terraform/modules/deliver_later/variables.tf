variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The state machine's name."
  type        = string
}

variable "runs_table" {
  description = "Table whose row says when (`resume_at`) and to whom (`function_arn`) a run is delivered."
  type        = object({ name = string, arn = string })
}

variable "records_bucket" {
  description = "Bucket that holds the waiting records, and the key that encrypts it."
  type        = object({ name = string, arn = string, key_arn = string })
}

variable "key_arn" {
  description = "KMS key that encrypts the log."
  type        = string
}

variable "function_alias_arns" {
  description = "The aliases that may be called."
  type        = list(string)
}

variable "function_timeout_seconds" {
  description = "The longest that one of them may run."
  type        = number
}

variable "logs" {
  description = "What the names of log groups begin with, and for how many days they are kept."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}
