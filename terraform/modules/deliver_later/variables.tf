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

variable "function_alias_arns" {
  description = "The aliases that may be called."
  type        = list(string)
}

variable "function_timeout_seconds" {
  description = "The longest that one of them may run."
  type        = number
}

variable "log_retention_days" {
  description = "How long the executions' log is kept."
  type        = number
}

variable "permissions_boundary_arn" {
  description = "IAM policy that bounds the role. Null: none."
  type        = string
}
