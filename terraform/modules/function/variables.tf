variable "name" {
  description = "The function's name in its logs and metrics, for example `create_service`."
  type        = string
}

variable "folder" {
  description = "Folder in `functions/` from which its archive was built."
  type        = string
}

variable "function_name" {
  description = "The Lambda function's name."
  type        = string
}

variable "description" {
  description = "Description of the function in lists of functions."
  type        = string
}

variable "artifact" {
  description = "The function's archive in S3. The key must change with the archive's content."
  type = object({
    bucket = string
    key    = string
  })
}

variable "layer_arn" {
  description = "Version ARN of the layer with `slipway` and its dependencies."
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
  description = "Reserved concurrency, which is also the function's limit. Null: it shares the account's."
  type        = number
  default     = null
}

variable "key_arn" {
  description = "KMS key that encrypts the log."
  type        = string
}

variable "vpc" {
  description = "Subnets and security groups of the function's VPC. Null: no VPC, with Lambda's own route to the Internet."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "environment" {
  description = "Environment variables besides those of Powertools. Never a secret."
  type        = map(string)
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the function's own metrics."
  type        = string
}

variable "statements" {
  description = "The function's permissions, besides writing its own log and traces."
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
    error_message = "Grant a function specific ARNs, never \"*\"."
  }
}

variable "callers" {
  description = "Services that may call the alias without their own role, each for one resource."
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
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}
