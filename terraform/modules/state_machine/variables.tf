variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The state machine's name."
  type        = string
}

variable "role_name" {
  description = "The name of its role: another than the machine's where a function has that one."
  type        = string
}

variable "template" {
  description = "Path of the definition in the States Language. It may name partition, retry, retry_of_lambda, invoke_timeout and the keys of `values`, each in `$${…}`."
  type        = string
}

variable "values" {
  description = "What the definition names, as ARNs of functions and names of tables."
  type        = map(string)
}

variable "retryable_errors" {
  description = "Errors of the functions that pass by themselves, for which a task is repeated for more than an hour."
  type        = list(string)
  default     = []
}

variable "statements" {
  description = "What the machine may do, beside writing its log and traces."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
    conditions = optional(list(object({
      test     = string
      variable = string
      values   = list(string)
    })), [])
  }))

  validation {
    condition     = alltrue([for statement in var.statements : !contains(statement.resources, "*")])
    error_message = "A state machine is granted its own ARNs, never \"*\"."
  }
}

variable "function_timeout_seconds" {
  description = "The longest that a function may run."
  type        = number
}

variable "logs_data" {
  description = "Whether the log holds what states are given and return: not where that includes task tokens, with which any reader could decide."
  type        = bool
}

variable "on_stop" {
  description = "Alias of sweep_runs, which EventBridge calls for each execution that failed, was aborted or timed out. Null: none is called."
  type        = object({ sweep_alias_arn = string })
  default     = null
}

variable "key_arn" {
  description = "KMS key that encrypts the log."
  type        = string
}

variable "logs" {
  description = "What the names of log groups begin with, and for how many days they are kept."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}
