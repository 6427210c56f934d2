variable "name" {
  description = "The network's name."
  type        = string
}

variable "cidr" {
  description = "IPv4 range of the VPC, /26 or larger; a quarter of it per zone."
  type        = string
}

variable "endpoints" {
  description = "Whether event pollers on demand need ways to Lambda, STS, Secrets Manager and S3; pollers of one's own do not."
  type        = bool
}
