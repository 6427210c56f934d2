variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The network's name."
  type        = string
}

variable "cidr" {
  description = "IPv4 range of a VPC created here, /26 or larger, with `nat` /24 or larger; a quarter of it per zone."
  type        = string
}

variable "existing" {
  description = "A VPC to use instead of a new one: its id, private subnets in different zones, and the brokers' and readers' security group. Null for the group: a new one."
  type = object({
    vpc_id            = string
    subnet_ids        = list(string)
    security_group_id = string
  })
  default = null
}

variable "endpoints" {
  description = "Whether on-demand event pollers need routes to Lambda, STS, Secrets Manager and S3; provisioned pollers do not. An existing VPC has its own."
  type        = bool
}

variable "nat" {
  description = "Whether a resource in the subnets must reach the Internet. An existing VPC has its own route."
  type        = bool
  default     = false
}

variable "key_arn" {
  description = "KMS key that encrypts the flow log."
  type        = string
}

variable "logs" {
  description = "Prefix of the names of log groups, and their retention in days."
  type        = object({ prefix = string, retention_days = number })
}

variable "roles" {
  description = "Path, name suffix and permissions boundary (null: none) of IAM roles."
  type        = object({ path = string, suffix = string, permissions_boundary_arn = string })
}
