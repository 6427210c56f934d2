variable "network" {
  description = <<-EOT
    The VPC of a Kafka cluster or mirror that this stack creates. Otherwise a VPC is not needed and not created.
    cidr: IPv4 range of a VPC created here, in two or three zones: /26 or larger, with a mirror /24 or larger.
    vpc_id, subnet_ids: your own VPC instead, and its private subnets in two or three zones. On-demand event pollers need routes
      from there to Lambda, STS, Secrets Manager and S3; a mirror needs one to the Internet.
    security_group_id: the group of your brokers, whose members may reach them; null: a new one. A mirror to an existing
      cluster needs it.
  EOT
  type = object({
    cidr              = optional(string, "10.90.0.0/24")
    vpc_id            = optional(string)
    subnet_ids        = optional(list(string))
    security_group_id = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(cidrsubnet(var.network.cidr, 2, 3)) && try(tonumber(split("/", var.network.cidr)[1]), 32) <= (var.kafka_mirror == null ? 26 : 24)
    error_message = "network.cidr must be an IPv4 range of /26 or larger, with kafka_mirror of /24 or larger."
  }

  validation {
    condition = (var.network.vpc_id == null) == (var.network.subnet_ids == null) && (
      var.network.subnet_ids == null || contains([2, 3], try(length(distinct(var.network.subnet_ids)), 0))
    )
    error_message = "network.vpc_id needs network.subnet_ids, two or three of its subnets, and vice versa."
  }

  validation {
    condition     = var.network.security_group_id == null || var.network.vpc_id != null
    error_message = "network.security_group_id needs network.vpc_id."
  }

  validation {
    condition = (
      (var.network.vpc_id == null || startswith(coalesce(var.network.vpc_id, "none"), "vpc-")) &&
      (var.network.security_group_id == null || startswith(coalesce(var.network.security_group_id, "none"), "sg-")) &&
      alltrue([for id in coalesce(var.network.subnet_ids, []) : startswith(id, "subnet-")])
    )
    error_message = "network: ids begin with vpc-, subnet- and sg-."
  }

  validation {
    condition     = var.kafka_mirror == null || var.kafka.cluster_arn == null || var.network.security_group_id != null
    error_message = "A mirror to an existing cluster works in that cluster's VPC: kafka_mirror with kafka.cluster_arn needs network.vpc_id, subnet_ids and security_group_id."
  }
}

variable "kafka_mirror" {
  description = <<-EOT
    MirrorMaker 2 on MSK Connect, which copies Port's topics to the MSK cluster: Port itself writes only to its own cluster. Null:
    another tool does. The topics must exist in the MSK cluster, which must allow IAM: create them with scripts/topics before you set this.
    source_servers: brokers to mirror from; null: Port's own in the region of `port.base_url`.
    plugin: the archive with MirrorMaker 2 in S3; docs/install.md describes how to build it. version: null if the bucket has no versions.
      sha256: the archive's checksum in base64, which must equal the one that S3 computed.
  EOT
  type = object({
    source_servers = optional(list(string))
    plugin = object({
      bucket_arn = string
      key        = string
      version    = optional(string)
      sha256     = string
    })
  })
  default = null

  validation {
    condition     = var.kafka_mirror == null || var.kafka.mode == "msk"
    error_message = "kafka_mirror needs kafka.mode = \"msk\": without your own cluster, Port's brokers are read directly."
  }

  validation {
    condition     = can(regex("^arn:[\\w-]+:s3:::[a-z0-9.-]{3,63}$", try(var.kafka_mirror.plugin.bucket_arn, "arn:aws:s3:::none"))) && try(length(var.kafka_mirror.plugin.key) > 0, true)
    error_message = "kafka_mirror.plugin needs the ARN of an S3 bucket and the key of the archive in it."
  }

  validation {
    condition     = var.kafka_mirror == null || can(regex("^[A-Za-z0-9+/]{43}=$", var.kafka_mirror.plugin.sha256))
    error_message = "kafka_mirror.plugin.sha256 must be the archive's SHA-256 in base64: openssl dgst -sha256 -binary FILE | base64."
  }

  validation {
    # One port, because the workers' security group names it.
    condition = (
      alltrue([for server in coalesce(try(var.kafka_mirror.source_servers, null), []) : can(regex("^[A-Za-z0-9.-]+:[0-9]{1,5}$", server))]) &&
      length(distinct([for server in coalesce(try(var.kafka_mirror.source_servers, null), []) : try(split(":", server)[1], "")])) <= 1
    )
    error_message = "kafka_mirror.source_servers must be \"<host>:<port>\", all with the same port."
  }
}
