variable "name_prefix" {
  description = "What the names begin with."
  type        = string
}

variable "invocation_uri" {
  description = "What API Gateway calls: the alias of the function, as a path of Lambda's API."
  type        = string
}

variable "throttle_rate" {
  description = "Requests a second."
  type        = number
}

variable "throttle_burst" {
  description = "Requests at once."
  type        = number
}

variable "webhook" {
  description = "What API Gateway calls for Port's requests, and how many a second and at once. Null: there is no such route."
  type        = object({ invocation_uri = string, throttle_rate = number, throttle_burst = number })
  default     = null
}

variable "base_url" {
  description = "What the API's address begins with, `{api_id}` standing for the API's id; null: the stage's own address."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts the access log."
  type        = string
}

variable "logs" {
  description = "What the names of log groups begin with, and for how many days they are kept."
  type        = object({ prefix = string, retention_days = number })
}
