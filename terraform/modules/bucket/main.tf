resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: CloudTrail records who reads objects, for all buckets of an account
  # checkov:skip=CKV_AWS_21: `encryption` decides whether there are versions
  # checkov:skip=CKV_AWS_144: records are processed in their own region, and Port's log is the second record of a decision
  # checkov:skip=CKV_AWS_145: code, which is public, is encrypted under S3's own key
  # checkov:skip=CKV2_AWS_61: callers set rules if objects expire
  # checkov:skip=CKV2_AWS_62: callers set notifications if a queue waits for objects
  bucket              = var.name
  object_lock_enabled = var.object_lock == null ? null : true
  force_destroy       = !var.deletion_protection
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

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

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.this.json

  # S3 refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = var.encryption == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.encryption == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = var.encryption == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.encryption.key_arn
    }
  }
}

# S3 itself prevents changes and deletion of objects until their retention has passed.
resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.object_lock == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.retention_days
    }
  }

  # S3 locks versions.
  depends_on = [aws_s3_bucket_versioning.this]
}
