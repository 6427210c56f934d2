variable "encryption_key" {
  description = <<-EOT
    Your own KMS key for secrets, stored records, notifications and logs. Null: the module creates one.
    arn: of a symmetric key in the same region. Its policy must delegate to the account's IAM. CloudWatch Logs must be able to
      use it for log groups with `name_prefix` in their names, and CloudWatch for alarms that begin with it. docs/install.md
      has the policy.
  EOT
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = can(regex("^arn:[\\w-]+:kms:[a-z0-9-]+:\\d{12}:key/.+$", try(var.encryption_key.arn, "arn:aws:kms:eu-west-1:111122223333:key/any")))
    error_message = "encryption_key.arn must be the ARN of a KMS key, not of an alias: IAM policies name keys."
  }
}

variable "buckets" {
  description = <<-EOT
    Your own S3 buckets, each for one installation only. Null: the module creates them.
    records: waiting and failed records, previews and the policy. It needs versions. The module sets its notifications,
      which S3 keeps as one list; expiry, access and encryption are yours (docs/install.md).
    audit: the records of decisions. It needs versions and Object Lock; its default retention is yours, and
      `approvals.audit` has no effect.
    name: of the bucket. key: the KMS key that it encrypts with; null: the installation's key.
  EOT
  type = object({
    records = optional(object({ name = string, key = optional(object({ arn = string })) }))
    audit   = optional(object({ name = string, key = optional(object({ arn = string })) }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for bucket in [var.buckets.records, var.buckets.audit] : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(bucket.name, "any")))])
    error_message = "buckets: name must be the name of an S3 bucket, not its ARN."
  }
}

variable "notification_topics" {
  description = <<-EOT
    Your own SNS topics. Null: the module creates them. For alarms, see `alarm_actions`.
    approvals: approval requests. A message has a link with which its recipient decides, and names the recipient in its
      attribute `approver`: each subscription needs a filter on it. The module subscribes the approvers with such filters.
    alerts: services that Slipway escalates to people. The module subscribes `remediation.alert_emails`.
    arn: of the topic, in the same region. key: the KMS key that it encrypts with; null: none, or a key that AWS manages.
  EOT
  type = object({
    approvals = optional(object({ arn = string, key = optional(object({ arn = string })) }))
    alerts    = optional(object({ arn = string, key = optional(object({ arn = string })) }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for topic in [var.notification_topics.approvals, var.notification_topics.alerts] : can(regex("^arn:[\\w-]+:sns:[a-z0-9-]+:\\d{12}:[\\w-]+$", try(topic.arn, "arn:aws:sns:eu-west-1:111122223333:any")))])
    error_message = "notification_topics: arn must be the ARN of an SNS topic that is not FIFO."
  }
}

variable "role_path" {
  description = "IAM path of every role that the module creates, for example `/platform/`."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    condition     = can(regex("^/([\\w+=,.@-]+/)*$", var.role_path)) && length(var.role_path) <= 512
    error_message = "role_path must begin and end with a slash, for example \"/platform/\"."
  }
}

variable "account_suffix" {
  description = <<-EOT
    Suffix of IAM roles and of the dashboard, whose names must be unique in an account over all regions. Null: a hyphen and the
    region. An installation from before 0.1.0 keeps its roles with "".
  EOT
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,15}$", coalesce(var.account_suffix, "-")))
    error_message = "account_suffix must have at most 15 letters, digits, hyphens and underscores."
  }
}

variable "log_group_prefix" {
  description = "Prefix of the names of log groups, instead of `/aws`. The web ACL's keeps `aws-waf-logs-`, which AWS requires."
  type        = string
  default     = "/aws"
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    condition     = can(regex("^[A-Za-z0-9_./#-]{1,200}$", var.log_group_prefix)) && !endswith(var.log_group_prefix, "/")
    error_message = "log_group_prefix must have up to 200 letters, digits and any of _./#- and not end with a slash."
  }
}
