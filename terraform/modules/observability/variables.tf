variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name_prefix" {
  description = "Prefix of the names; the X-Ray group's whole name."
  type        = string
}

variable "dashboard_name" {
  description = "The dashboard's name, which must be unique in an account over all regions."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the functions' own metrics."
  type        = string
}

variable "functions" {
  description = "Each function by its folder in `functions/`: its names, its time-out in seconds, whether it reads a topic, and its schedule's rate, if any."
  type = map(object({
    function_name   = string
    log_group_name  = string
    timeout_seconds = number
    consumer        = bool
    rate_seconds    = optional(number)
  }))
}

variable "queues" {
  description = "Function to the names of its queue and of its dead-letter queue, where runs come by webhook."
  type        = map(object({ messages = string, dead_letters = string }))
  default     = {}
}

variable "state_machines" {
  description = "Each state machine: its name and ARN, the run-book heading of its alarms, and metric of AWS/States to its meaning."
  type = map(object({
    name    = string
    arn     = string
    runbook = string
    alarms  = map(string)
  }))
}

variable "failed_records_queue" {
  description = "Name of the queue with a message for each failed record."
  type        = string
}

variable "api" {
  description = "Name and stage of the REST API."
  type = object({
    name  = string
    stage = string
  })
}

variable "reports_api" {
  description = "Name and stage of the REST API that takes reports."
  type = object({
    name  = string
    stage = string
  })
}

variable "mirror" {
  description = "Name of the connector that mirrors Port's topics. Null: none."
  type        = string
}

variable "alarm_actions" {
  description = "ARNs that are notified when an alarm begins and ends."
  type        = list(string)
}

variable "alarm_emails" {
  description = "People who are notified of alarms by a topic that this module creates. None: no topic."
  type        = set(string)
}

variable "key_arn" {
  description = "KMS key that encrypts the topic; its policy must let CloudWatch use it."
  type        = string
}

variable "runbook_url" {
  description = "Address of the run-book; alarms end with it and a heading."
  type        = string
}

variable "record_age_seconds" {
  description = "Age from which a record counts as late."
  type        = number
}

variable "xray_group" {
  description = "Whether the traces of the functions get their own group."
  type        = bool
}
