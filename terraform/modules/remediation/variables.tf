variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "What the names begin with."
  type        = string
}

variable "function_alias_arn" {
  description = "Alias of the function that takes the steps."
  type        = string
}

variable "probe_function_alias_arn" {
  description = "Alias of the function that asks health URLs."
  type        = string
}

variable "approval_alias_arn" {
  description = "Alias of the function that asks people for approval."
  type        = string
}

variable "sweep_alias_arn" {
  description = "Alias of the function that is told of executions that did not end by themselves."
  type        = string
}

variable "function_timeout_seconds" {
  description = "The longest that a step may run."
  type        = number
}

variable "key_arn" {
  description = "KMS key that encrypts alerts and the log."
  type        = string
}

variable "alert_emails" {
  description = "People who are told of services that are handed over."
  type        = set(string)
}

variable "logs" {
  description = "What the names of log groups begin with, and for how many days they are kept."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}

variable "existing_topic" {
  description = "Topic to use instead of making one."
  type        = object({ arn = string })
  default     = null
}
