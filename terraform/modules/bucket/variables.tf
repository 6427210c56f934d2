variable "name" {
  description = "The bucket's name."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the bucket must be empty to be deleted."
  type        = bool
  default     = true
}

variable "encryption" {
  description = "KMS key that encrypts the objects; the bucket then keeps versions. Null: for code, which S3 encrypts with its own key, and whose object keys identify the content."
  type        = object({ key_arn = string })
  default     = null
}

variable "object_lock" {
  description = "Object Lock's default retention: GOVERNANCE or COMPLIANCE, and days. It needs `encryption`. Null: none."
  type = object({
    mode           = string
    retention_days = number
  })
  default = null
}
