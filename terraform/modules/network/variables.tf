variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The network's name."
  type        = string
}

variable "cidr" {
  description = "IPv4 range of a VPC made here, /26 or larger, with `nat` /24 or larger; a quarter of it per zone."
  type        = string
}

variable "existing" {
  description = "A VPC to use instead of making one: its id, private subnets in different zones, and the group of brokers and readers; null: a group is made."
  type = object({
    vpc_id            = string
    subnet_ids        = list(string)
    security_group_id = string
  })
  default = null
}

variable "endpoints" {
  description = "Whether event pollers on demand need ways to Lambda, STS, Secrets Manager and S3; pollers of one's own do not. An existing VPC has its own."
  type        = bool
}

variable "nat" {
  description = "Whether something in the subnets must reach the Internet. An existing VPC has its own way."
  type        = bool
  default     = false
}

variable "key_arn" {
  description = "KMS key that encrypts the flow log."
  type        = string
}

variable "log_retention_days" {
  description = "How long the flow log is kept."
  type        = number
}

variable "permissions_boundary_arn" {
  description = "IAM policy that bounds the flow log's role. Null: none."
  type        = string
}
