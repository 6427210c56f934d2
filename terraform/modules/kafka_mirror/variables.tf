variable "account" {
  description = "Where the module is applied: the account's id, the region and the partition."
  type        = object({ id = string, region = string, partition = string })
}

variable "name" {
  description = "The connector's name."
  type        = string
}

variable "topics" {
  description = "Names of the topics to mirror, which stay the same."
  type        = list(string)
}

variable "source_servers" {
  description = "Brokers to mirror from, `<host>:<port>`, by SASL/SCRAM-SHA-512."
  type        = list(string)
}

variable "source_port" {
  description = "The port of those brokers."
  type        = number
}

variable "secret" {
  description = "Secret with username and password for the source, and the key that encrypts it."
  type = object({
    arn     = string
    key_arn = string
  })
}

variable "target" {
  description = "The MSK cluster to mirror to, and its brokers for IAM."
  type = object({
    cluster_arn       = string
    bootstrap_servers = string
  })

  validation {
    # MSK returns no address for a sign-in method that the cluster does not allow.
    condition     = var.target.bootstrap_servers != ""
    error_message = "The mirror signs in to the cluster by IAM, which kafka.cluster_arn does not allow. Allow it (aws kafka update-security, or Edit security settings in the console: IAM role-based authentication), wait until the cluster is active, and plan again."
  }
}

variable "network" {
  description = "Network of the workers: private subnets with a route to the Internet, and the group of the brokers."
  type = object({
    vpc_id            = string
    subnet_ids        = list(string)
    security_group_id = string
  })
}

variable "plugin" {
  description = "Archive in S3 with MirrorMaker 2 and the Secrets Manager configuration provider. version: null if the object is not versioned. sha256: its checksum in base64, as S3 shows it."
  type = object({
    bucket_arn = string
    key        = string
    version    = string
    sha256     = string
  })
}

variable "key_arn" {
  description = "KMS key that encrypts the workers' log."
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
