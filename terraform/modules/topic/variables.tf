variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The topic's name."
  type        = string
}

variable "key_arn" {
  description = "KMS key that encrypts messages; with `alarms_prefix`, its policy must let CloudWatch use it."
  type        = string
}

variable "emails" {
  description = "Addresses to subscribe. Each person confirms once."
  type        = set(string)
}

variable "recipient_attribute" {
  description = "Attribute of a message that names its only recipient. Null: each message goes to all."
  type        = string
  default     = null
}

variable "alarms_prefix" {
  description = "Prefix of the CloudWatch alarms that may publish. Null: none."
  type        = string
  default     = null
}

variable "existing" {
  description = "Topic to subscribe the addresses to, instead of creating one."
  type        = object({ arn = string })
  default     = null
}
