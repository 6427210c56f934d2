variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "Function and topic in short; names the policy on the function's role."
  type        = string
}

variable "source_cluster" {
  description = <<-EOT
    The cluster to read from.
    mode: `external` (self-managed to Lambda) or `msk`.
    bootstrap_servers: external only.
    cluster_arn: msk only.
    authentication: `SCRAM` or `IAM`; external clusters support only SCRAM.
  EOT
  type = object({
    mode              = string
    bootstrap_servers = list(string)
    cluster_arn       = string
    authentication    = string
  })
}

variable "org_id" {
  description = "Port organisation; Port's brokers refuse consumer groups that do not begin with it."
  type        = string
}

variable "topic" {
  description = "The topic: an event source mapping reads exactly one."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$", var.topic))
    error_message = "topic must be the name of one Kafka topic."
  }
}

variable "consumer_group_id" {
  description = "The function's own consumer group on this topic. If you change it, the function reads the topic again."
  type        = string

  validation {
    condition     = startswith(var.consumer_group_id, "${var.org_id}.")
    error_message = "consumer_group_id must begin with the Port organisation's id and a dot; Port's brokers refuse others."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9/*:_+=.@-]{1,200}$", var.consumer_group_id))
    error_message = "consumer_group_id must have 1 to 200 of the characters that Lambda allows."
  }
}

variable "filters" {
  description = "One to ten patterns on the record's decoded JSON value, in EventBridge's syntax; one must match. Records that are not JSON never match."
  type        = any

  validation {
    # More than five need a raised quota:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    condition     = try(length(var.filters) >= 1 && length(var.filters) <= 10 && alltrue([for filter in var.filters : length(keys(filter)) > 0]), false)
    error_message = "filters must be one to ten objects with at least one field each: the topic carries the records of all actions."
  }
}

variable "batch_size" {
  description = "Maximum number of records per invocation."
  type        = number

  validation {
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number from 1 to 10000."
  }
}

variable "starting_position" {
  description = "Start of a consumer group without committed offsets: LATEST or TRIM_HORIZON."
  type        = string

  validation {
    condition     = contains(["LATEST", "TRIM_HORIZON"], var.starting_position)
    error_message = "starting_position must be LATEST or TRIM_HORIZON."
  }
}

variable "provisioned_pollers" {
  description = "Provisioned pollers with their error controls; null: on demand, without these controls."
  type = object({
    min                        = number
    max                        = number
    maximum_retry_attempts     = number
    maximum_record_age_seconds = number
    bisect_batch_on_error      = bool
  })
}

variable "function_alias_arn" {
  description = "Alias that receives the records."
  type        = string
}

variable "function_role_name" {
  description = "The function's role: Lambda reads the source and writes the destination with it."
  type        = string
}

variable "secret" {
  description = "SCRAM secret and the key that encrypts it."
  type = object({
    arn     = string
    key_arn = string
  })
}

variable "failed_records" {
  description = "Bucket for permanently failed records, and the key that encrypts it."
  type = object({
    bucket_arn = string
    key_arn    = string
  })
}
