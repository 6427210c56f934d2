variable "kafka" {
  description = <<-EOT
    The source of the records.
    mode: `external` reads from any cluster with SASL/SCRAM-SHA-512 and a public certificate, for example Port's own; `msk` reads from Amazon MSK.
    bootstrap_servers: external only. Null: Port's own brokers in the region of `port.base_url`.
    cluster_arn: msk only: an existing cluster. It needs routes to Lambda, STS, Secrets Manager and S3, or `provisioned_pollers`.
    create: msk only: create a cluster, `provisioned` or `serverless`, in the network of variable `network`. kafka_version: a new
      cluster may have one with KRaft, for example `3.9.x.kraft`; an existing cluster keeps ZooKeeper or KRaft. volume_gib: of each broker
      at first; volume_gib_max: its maximum size. Topics have a copy on each of up to three brokers.
    authentication: msk only: `SCRAM` or `IAM`; a serverless cluster supports only IAM.
    starting_position: where a new consumer group begins. Null: TRIM_HORIZON for a cluster created here, else LATEST.
  EOT
  type = object({
    mode              = optional(string, "external")
    bootstrap_servers = optional(list(string))
    cluster_arn       = optional(string)
    authentication    = optional(string, "SCRAM")
    starting_position = optional(string)
    create = optional(object({
      type                 = optional(string, "provisioned")
      kafka_version        = optional(string, "3.8.x")
      broker_instance_type = optional(string, "kafka.m7g.large")
      brokers_per_zone     = optional(number, 1)
      volume_gib           = optional(number, 50)
      volume_gib_max       = optional(number, 200)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["external", "msk"], var.kafka.mode)
    error_message = "kafka.mode must be \"external\" or \"msk\"."
  }

  validation {
    condition = var.kafka.mode != "external" || (
      var.kafka.cluster_arn == null && var.kafka.create == null && var.kafka.authentication == "SCRAM"
    )
    error_message = "kafka.cluster_arn, kafka.create and IAM authentication need kafka.mode = \"msk\"."
  }

  validation {
    condition     = var.kafka.mode != "msk" || ((var.kafka.cluster_arn == null) != (var.kafka.create == null) && var.kafka.bootstrap_servers == null)
    error_message = "kafka.mode \"msk\" needs either kafka.cluster_arn or kafka.create, and no bootstrap_servers: Lambda asks MSK for them."
  }

  validation {
    condition = var.kafka.bootstrap_servers == null || (
      try(length(var.kafka.bootstrap_servers), 0) >= 1 && try(length(var.kafka.bootstrap_servers), 0) <= 10 &&
      alltrue([for server in coalesce(var.kafka.bootstrap_servers, []) : can(regex("^[A-Za-z0-9.-]+:[0-9]{1,5}$", server))])
    )
    error_message = "kafka.bootstrap_servers must be 1 to 10 of \"<host>:<port>\"."
  }

  validation {
    condition     = can(regex("^arn:[\\w-]+:kafka:[a-z0-9-]+:\\d{12}:cluster/[^/]+/[^/]+$", coalesce(var.kafka.cluster_arn, "arn:aws:kafka:eu-west-1:000000000000:cluster/a/b")))
    error_message = "kafka.cluster_arn must be the ARN of an MSK cluster."
  }

  validation {
    condition     = contains(["SCRAM", "IAM"], var.kafka.authentication)
    error_message = "kafka.authentication must be \"SCRAM\" or \"IAM\"."
  }

  validation {
    condition     = contains(["provisioned", "serverless"], try(var.kafka.create.type, "provisioned"))
    error_message = "kafka.create.type must be \"provisioned\" or \"serverless\"."
  }

  validation {
    condition     = try(var.kafka.create.type, "provisioned") != "serverless" || var.kafka.authentication == "IAM"
    error_message = "An MSK serverless cluster supports only IAM: set kafka.authentication = \"IAM\"."
  }

  validation {
    # https://docs.aws.amazon.com/msk/latest/developerguide/limits.html
    condition = (
      try(var.kafka.create.volume_gib, 1) >= 1 && try(var.kafka.create.volume_gib_max, 1) <= 16384 &&
      try(var.kafka.create.volume_gib <= var.kafka.create.volume_gib_max, true)
    )
    error_message = "kafka.create.volume_gib must be at least 1 and at most volume_gib_max, which may be up to 16384."
  }

  validation {
    condition     = try(var.kafka.create.brokers_per_zone, 1) >= 1 && try(floor(var.kafka.create.brokers_per_zone) == var.kafka.create.brokers_per_zone, true)
    error_message = "kafka.create.brokers_per_zone must be a whole number from 1."
  }

  validation {
    condition     = contains(["LATEST", "TRIM_HORIZON"], coalesce(var.kafka.starting_position, "LATEST"))
    error_message = "kafka.starting_position must be LATEST or TRIM_HORIZON."
  }
}

variable "provisioned_pollers" {
  description = <<-EOT
    Provisioned event pollers for each event source mapping (at extra cost). Null: on demand.
    With them, retries can be limited: `maximum_retry_attempts` (0 to 10000, -1: unlimited),
    `maximum_record_age_seconds` (60 to 604800, -1: unlimited) and `bisect_batch_on_error`. Lambda then also reads which
    records of a batch failed (partial batch responses). Without them, these settings are not sent, and a failed record
    retries the whole batch, limited by the on-failure destination. A change between the two replaces the mappings.
  EOT
  type = object({
    min                        = optional(number, 1)
    max                        = optional(number, 2)
    maximum_retry_attempts     = optional(number, 3)
    maximum_record_age_seconds = optional(number, 3600)
    bisect_batch_on_error      = optional(bool, true)
  })
  default = null

  validation {
    condition = var.provisioned_pollers == null || try(
      var.provisioned_pollers.min >= 1 && var.provisioned_pollers.min <= 200 &&
      var.provisioned_pollers.max <= 2000 && var.provisioned_pollers.min <= var.provisioned_pollers.max,
      false
    )
    error_message = "provisioned_pollers.min must be 1 to 200, max up to 2000 and not below min."
  }

  validation {
    condition = var.provisioned_pollers == null || try(
      var.provisioned_pollers.maximum_retry_attempts >= -1 && var.provisioned_pollers.maximum_retry_attempts <= 10000 &&
      (var.provisioned_pollers.maximum_record_age_seconds == -1 ||
      (var.provisioned_pollers.maximum_record_age_seconds >= 60 && var.provisioned_pollers.maximum_record_age_seconds <= 604800)),
      false
    )
    error_message = "provisioned_pollers.maximum_retry_attempts must be -1 to 10000 and maximum_record_age_seconds -1 or 60 to 604800."
  }
}
