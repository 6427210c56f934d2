variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "Prefix of the names."
  type        = string
}

variable "function_alias_arn" {
  description = "Alias of the function that runs the steps."
  type        = string
}

variable "probe_function_alias_arn" {
  description = "Alias of the function that probes health URLs."
  type        = string
}

variable "approval_alias_arn" {
  description = "Alias of the function that asks people for approval."
  type        = string
}

variable "sweep_alias_arn" {
  description = "Alias of the function that is called for executions that did not end by themselves."
  type        = string
}

variable "function_timeout_seconds" {
  description = "Maximum duration of a step."
  type        = number
}

variable "key_arn" {
  description = "KMS key that encrypts alerts and the log."
  type        = string
}

variable "alert_emails" {
  description = "People who are notified of services that Slipway escalates."
  type        = set(string)
}

variable "logs" {
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}

variable "existing_topic" {
  description = "Topic to use instead of creating one."
  type        = object({ arn = string })
  default     = null
}
