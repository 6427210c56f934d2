variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "queue_name" {
  description = "The queue's name. One that ends with `.fifo` keeps the messages of a group in order."
  type        = string

  validation {
    # With "-failed", at most 80 characters.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
    condition     = can(regex("^[A-Za-z0-9_-]{1,68}(\\.fifo)?$", var.queue_name))
    error_message = "queue_name must have 1 to 68 letters, digits, - and _, and may end with .fifo."
  }
}

variable "batch_size" {
  description = "The most messages of one invocation; 10 is the most that an ordered queue gives."
  type        = number

  validation {
    condition     = var.batch_size >= 1 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number from 1."
  }
}

variable "concurrency" {
  description = "Invocations that work on the queue at the same time."
  type        = number

  validation {
    condition     = var.concurrency >= 2 && var.concurrency <= 1000
    error_message = "concurrency must be from 2 to 1000."
  }
}

variable "maximum_receives" {
  description = "Deliveries of a message before it goes to the dead-letter queue."
  type        = number
}

variable "function_alias_arn" {
  description = "Alias that receives the messages."
  type        = string
}

variable "function_role_name" {
  description = "The function's role: Lambda reads the queue with it."
  type        = string
}

variable "function_timeout_seconds" {
  description = "How long an invocation may last."
  type        = number

  validation {
    # Six times as long a message stays invisible, and SQS takes twelve hours.
    condition     = var.function_timeout_seconds >= 1 && var.function_timeout_seconds <= 7200
    error_message = "function_timeout_seconds must be from 1 to 7200."
  }
}
