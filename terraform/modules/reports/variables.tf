variable "name_prefix" {
  description = "Prefix of the names."
  type        = string
}

variable "invocation_uri" {
  description = "Alias of the function that API Gateway calls, as a path of Lambda's API."
  type        = string
}

variable "throttle_rate" {
  description = "Requests per second."
  type        = number
}

variable "throttle_burst" {
  description = "Burst of requests."
  type        = number
}

variable "webhook" {
  description = "What API Gateway calls for Port's requests, and its throttle. Null: the API does not have this route."
  type        = object({ invocation_uri = string, throttle_rate = number, throttle_burst = number })
  default     = null
}

variable "base_url" {
  description = "Base address of the API, with `{api_id}` for the API's id; null: the stage's own address."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts the access log."
  type        = string
}

variable "logs" {
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}
