variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The state machine's name."
  type        = string
}

variable "role_name" {
  description = "The name of its role, which differs from the machine's if a function has that name."
  type        = string
}

variable "template" {
  description = "Path of the definition in the States Language. It may name partition, retry, retry_of_lambda, invoke_timeout and the keys of `values`, each in `$${…}`."
  type        = string
}

variable "values" {
  description = "Values for the definition: ARNs of functions and names of tables."
  type        = map(string)
}

variable "retryable_errors" {
  description = "Temporary errors of the functions, for which a task is retried for more than an hour."
  type        = list(string)
  default     = []
}

variable "statements" {
  description = "The machine's permissions, besides writing its log and traces."
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
    error_message = "Grant a state machine specific ARNs, never \"*\"."
  }
}

variable "function_timeout_seconds" {
  description = "Maximum duration of a function."
  type        = number
}

variable "logs_data" {
  description = "Whether the log has input and output of states: not if these include task tokens, with which any reader could decide."
  type        = bool
}

variable "on_stop" {
  description = "Alias of sweep_runs, which EventBridge calls for each execution that failed, was aborted or timed out. Null: no call."
  type        = object({ sweep_alias_arn = string })
  default     = null
}

variable "key_arn" {
  description = "KMS key that encrypts the log."
  type        = string
}

variable "logs" {
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}
