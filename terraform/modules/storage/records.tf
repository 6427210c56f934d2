data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Account and region make it unique in the world.
  bucket_name = "${var.name_prefix}-records-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.name}"

  # Where failed records arrive: from event source mappings, whose keys Lambda chooses, and from
  # deliver_later.
  failed_prefixes = { event_source = "aws/lambda/", held = "held/" }
}

resource "aws_s3_bucket" "records" {
  # checkov:skip=CKV_AWS_18: who reads objects is CloudTrail's to record, for all buckets of an account
  # checkov:skip=CKV_AWS_144: records are worked on within days, in the region in which they failed
  bucket        = local.bucket_name
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_public_access_block" "records" {
  bucket                  = aws_s3_bucket.records.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "records" {
  bucket = aws_s3_bucket.records.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "records" {
  bucket = aws_s3_bucket.records.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "records" {
  bucket = aws_s3_bucket.records.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "records" {
  count = var.lifecycle_rules ? 1 : 0

  bucket = aws_s3_bucket.records.id

  # A record that waits is delivered within hours; what failed for good is copied to `held/`.
  rule {
    id     = "expire-delivered-later"
    status = "Enabled"

    filter {
      prefix = "later/"
    }

    expiration {
      days = 14
    }
  }

  # An approval waits for 45 days at most (the state machine's time-out), and what is held then for days
  # more. The record of its decisions is not here.
  dynamic "rule" {
    for_each = { requests = "requests/", previews = "approvals/" }

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = 120
      }
    }
  }

  # Failed records that were replayed or discarded. Those that wait for a person do not expire.
  rule {
    id     = "expire-archive"
    status = "Enabled"

    filter {
      prefix = "archive/"
    }

    expiration {
      days = 90
    }
  }

  rule {
    id     = "expire-old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 14
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Rules on old versions need versioning first.
  depends_on = [aws_s3_bucket_versioning.records]
}

data "aws_iam_policy_document" "records" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.records.arn, "${aws_s3_bucket.records.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "records" {
  bucket = aws_s3_bucket.records.id
  policy = data.aws_iam_policy_document.records.json

  # S3 refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.records]
}
