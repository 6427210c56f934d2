locals {
  # Account and region make the name globally unique.
  bucket_name = var.existing_buckets.records != null ? var.existing_buckets.records.name : "${var.name_prefix}-records-${var.account.id}-${var.account.region}"

  # Through the modules, whose outputs are known once their buckets encrypt and keep versions.
  buckets = {
    for kind, own in { records = module.records, audit = module.audit } : kind => {
      name                     = var.existing_buckets[kind] == null ? one(own[*].name) : var.existing_buckets[kind].name
      arn                      = var.existing_buckets[kind] == null ? one(own[*].arn) : "arn:${var.account.partition}:s3:::${var.existing_buckets[kind].name}"
    }
  }

  # Prefixes of failed records: of event source mappings, whose keys Lambda chooses, and of
  # deliver_later.
  failed_prefixes = { event_source = "aws/lambda/", held = "held/" }

  # Days until objects expire (null: never), and until replaced versions expire. A rule for the
  # whole bucket would also apply to the catalog, so there is none.
  expiries = merge(
    {
      # A waiting record is delivered within hours; a permanently failed record is copied to
      # `held/`.
      delivered-later = { prefix = "later/", days = 14, old_days = 14 }
      # Messages that are too large for SQS. The sweep stores a dead letter whole elsewhere.
      messages = { prefix = "webhook/", days = 30, old_days = 14 }
      # An approval waits for 45 days at most (the state machine's time-out), and a run on hold for
      # days more. The record of its decisions is in another bucket.
      requests = { prefix = "requests/", days = 120, old_days = 14 }
      previews = { prefix = "approvals/", days = 120, old_days = 14 }
      # Failed records that were replayed or discarded. Records that wait for an operator do not
      # expire.
      archive      = { prefix = "archive/", days = 90, old_days = 14 }
      old-policies = { prefix = "policy/", days = null, old_days = 14 }
      # If its kind is gone, a run is reported with the catalog that it recorded. A pull request may
      # wait for a year.
      old-catalogs = { prefix = "catalog/", days = null, old_days = max(400, var.audit.retention_days) }
    },
    { for name, prefix in local.failed_prefixes : "old-${name}" => { prefix = prefix, days = null, old_days = 14 } },
  )
}

# Records are processed within days, in the region in which they failed.
module "records" {
  source = "../bucket"
  count  = var.existing_buckets.records == null ? 1 : 0

  name                = local.bucket_name
  deletion_protection = var.deletion_protection
  encryption          = { key_arn = var.key_arn }
}

# Records of decisions on approvals. S3 prevents changes and deletion by anyone until their
# retention has passed. Afterwards they stay too, because nothing expires. Port's log of the run is
# the second record of a decision.
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
