variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "What the names begin with."
  type        = string
}

variable "function_alias_arn" {
  description = "Alias of the function that takes the steps and answers the API."
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
  description = "KMS key that encrypts notices and logs."
  type        = string
}

variable "approver_emails" {
  description = "People who are told of requests that they may decide."
  type        = set(string)
}

variable "api" {
  description = "Requests a second, at once, whether the account's log role of API Gateway is made here, and the API's resource policy as JSON or null."
  type = object({
    throttle_rate   = number
    throttle_burst  = number
    manage_account  = bool
    resource_policy = optional(string)
  })
}

variable "waf" {
  description = "Whether a web ACL stands in front of the API."
  type        = bool
  default     = false
}

variable "links_base_url" {
  description = "What links begin with, `{api_id}` standing for the API's id; null: the stage's own address."
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

variable "existing_topic" {
  description = "Topic to use instead of making one."
  type        = object({ arn = string })
  default     = null
}
