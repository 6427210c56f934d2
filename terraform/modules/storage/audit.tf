# Records of decisions on approvals. S3 itself keeps them from being changed or deleted: from everybody, until
# their retention has passed. After that they stay all the same; nothing expires.
resource "aws_s3_bucket" "audit" {
  # checkov:skip=CKV_AWS_18: who reads objects is CloudTrail's to record, for all buckets of an account
  # checkov:skip=CKV_AWS_144: Port's log of the run is the second record of a decision; replicate the bucket if an auditor asks for it
  # checkov:skip=CKV2_AWS_61: records of decisions are kept: nothing expires
  # checkov:skip=CKV2_AWS_62: nobody waits for a record of a decision
  bucket              = "${var.name_prefix}-audit-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.name}"
  object_lock_enabled = true
  force_destroy       = !var.deletion_protection
}

resource "aws_s3_bucket_object_lock_configuration" "audit" {
  bucket = aws_s3_bucket.audit.id

  rule {
    default_retention {
      mode = var.audit.mode
      days = var.audit.retention_days
    }
  }

  # S3 locks versions.
  depends_on = [aws_s3_bucket_versioning.audit]
}

resource "aws_s3_bucket_versioning" "audit" {
  bucket = aws_s3_bucket.audit.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "audit" {
  bucket                  = aws_s3_bucket.audit.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "audit" {
  bucket = aws_s3_bucket.audit.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "audit" {
  bucket = aws_s3_bucket.audit.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

data "aws_iam_policy_document" "audit" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.audit.arn, "${aws_s3_bucket.audit.arn}/*"]

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

resource "aws_s3_bucket_policy" "audit" {
  bucket = aws_s3_bucket.audit.id
  policy = data.aws_iam_policy_document.audit.json

  # S3 refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.audit]
}
