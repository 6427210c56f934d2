locals {
  # Account and region make it unique in the world.
  bucket_name = var.existing_buckets.records != null ? var.existing_buckets.records.name : "${var.name_prefix}-records-${var.account.id}-${var.account.region}"

  # By way of the modules, which are known when their buckets encrypt and keep versions.
  buckets = {
    for kind, own in { records = module.records, audit = module.audit } : kind => {
      name                     = var.existing_buckets[kind] == null ? one(own[*].name) : var.existing_buckets[kind].name
      arn                      = var.existing_buckets[kind] == null ? one(own[*].arn) : "arn:${var.account.partition}:s3:::${var.existing_buckets[kind].name}"
    }
  }

  # Where failed records arrive: from event source mappings, whose keys Lambda chooses, and from
  # deliver_later.
  failed_prefixes = { event_source = "aws/lambda/", held = "held/" }

  # After how many days objects expire (null: never), and versions that another one has replaced. There is no rule for the
  # whole bucket: S3 would apply it to the catalog, too.
  expiries = merge(
    {
      # A record that waits is delivered within hours; what failed for good is copied to `held/`.
      delivered-later = { prefix = "later/", days = 14, old_days = 14 }
      # Messages that SQS would not take. A dead letter is kept whole once the sweep has found it.
      messages = { prefix = "webhook/", days = 30, old_days = 14 }
      # An approval waits for 45 days at most (the state machine's time-out), and what is held then for days
      # more. The record of its decisions is not here.
      requests = { prefix = "requests/", days = 120, old_days = 14 }
      previews = { prefix = "approvals/", days = 120, old_days = 14 }
      # Failed records that were replayed or discarded. Those that wait for a person do not expire.
      archive      = { prefix = "archive/", days = 90, old_days = 14 }
      old-policies = { prefix = "policy/", days = null, old_days = 14 }
      # A run is reported by the catalog that it noted, if its kind is gone. A pull request may wait for a year.
      old-catalogs = { prefix = "catalog/", days = null, old_days = max(400, var.audit.retention_days) }
    },
    { for name, prefix in local.failed_prefixes : "old-${name}" => { prefix = prefix, days = null, old_days = 14 } },
  )
}

# Records are worked on within days, in the region in which they failed.
module "records" {
  source = "../bucket"
  count  = var.existing_buckets.records == null ? 1 : 0

  name                = local.bucket_name
  deletion_protection = var.deletion_protection
  encryption          = { key_arn = var.key_arn }
}

# Records of decisions on approvals. S3 keeps them from being changed or deleted: from everybody, until their retention
# has passed. After that they stay all the same; nothing expires. Port's log of the run is the second record of a decision.
module "audit" {
  source = "../bucket"
  count  = var.existing_buckets.audit == null ? 1 : 0

  name                = "${var.name_prefix}-audit-${var.account.id}-${var.account.region}"
  deletion_protection = var.deletion_protection
  encryption          = { key_arn = var.key_arn }
  object_lock         = var.audit
}

resource "aws_s3_bucket_lifecycle_configuration" "records" {
  count = var.lifecycle_rules && var.existing_buckets.records == null ? 1 : 0

  bucket = module.records[0].name

  dynamic "rule" {
    for_each = local.expiries

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      dynamic "expiration" {
        for_each = rule.value.days[*]

        content {
          days = expiration.value
        }
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value.old_days
      }
    }
  }

  rule {
    id     = "end-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}
