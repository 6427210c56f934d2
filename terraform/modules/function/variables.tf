variable "name" {
  description = "What the function is called in its logs and metrics, as `create_service`."
  type        = string
}

variable "folder" {
  description = "The folder in `functions/` that its archive was built from."
  type        = string
}

variable "function_name" {
  description = "The Lambda function's name."
  type        = string
}

variable "description" {
  description = "What the function does, for whoever lists functions."
  type        = string
}

variable "artifact" {
  description = "The function's archive in S3. The key must change with what the archive holds."
  type = object({
    bucket = string
    key    = string
  })
}

variable "layer_arn" {
  description = "Version ARN of the layer that holds `slipway` and its dependencies."
  type        = string
}

variable "settings" {
  description = "Tuning that all functions share; the root's variable `functions` describes it."
  type = object({
    architecture    = string
    memory_mb       = number
    timeout_seconds = number
    log_level       = string
  })
}

variable "reserved_concurrency" {
  description = "Concurrent executions that are kept for the function, and are its limit. Null: it shares the account's."
  type        = number
  default     = null
}

variable "key_arn" {
  description = "KMS key that encrypts the log."
  type        = string
}

variable "vpc" {
  description = "Subnets and security groups of a VPC that the function works in. Null: in none, with Lambda's own way to the Internet."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "environment" {
  description = "Environment variables beside those of Powertools. Never a secret."
  type        = map(string)
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics."
  type        = string
}

variable "statements" {
  description = "What the function may do, beside writing its own log and traces."
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
    error_message = "A function is granted its own ARNs, never \"*\"."
  }
}

variable "callers" {
  description = "Services that may call the alias beside those that do so with a role of theirs: each for one resource."
  type = map(object({
    principal  = string
    source_arn = string
  }))
  default = {}
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}

variable "logs" {
  description = "What the names of log groups begin with, and for how many days they are kept."
  type        = object({ prefix = string, retention_days = number })
}
