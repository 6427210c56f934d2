variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "Prefix of the names."
  type        = string
}

variable "function_alias_arn" {
  description = "Alias of the function that runs the steps and answers the API."
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
  description = "KMS key that encrypts notifications and logs."
  type        = string
}

variable "approver_emails" {
  description = "People who are notified of requests that they may decide."
  type        = set(string)
}

variable "api" {
  description = "Requests per second, burst, whether to create the account's log role of API Gateway, and the API's resource policy as JSON or null."
  type = object({
    throttle_rate   = number
    throttle_burst  = number
    manage_account  = bool
    resource_policy = optional(string)
  })
}

variable "waf" {
  description = "Whether a web ACL protects the API."
  type        = bool
  default     = false
}

variable "links_base_url" {
  description = "Base address of links, with `{api_id}` for the API's id; null: the stage's own address."
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

variable "existing_topic" {
  description = "Topic to use instead of creating one."
  type        = object({ arn = string })
  default     = null
}
