# Archives reach Lambda through S3: the provider uploads those given by `filename` one after the other, and holds the
# next one back until Lambda has made the function (ADR 17).
resource "aws_s3_bucket" "artifacts" {
  # checkov:skip=CKV_AWS_18: who reads objects is CloudTrail's to record, for all buckets of an account
  # checkov:skip=CKV_AWS_21: a key names its content, so no object ever has a second version
  # checkov:skip=CKV_AWS_144: Lambda keeps its own copy of each published version
  # checkov:skip=CKV_AWS_145: the code is public; S3 encrypts it under its own key
  # checkov:skip=CKV2_AWS_61: Terraform deletes an archive when the next one has another key
  # checkov:skip=CKV2_AWS_62: only Terraform writes here
  bucket = "${var.name_prefix}-artifacts-${local.account_id}-${local.region}"
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  bucket                  = aws_s3_bucket.artifacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "artifacts" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.artifacts.arn, "${aws_s3_bucket.artifacts.arn}/*"]

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

resource "aws_s3_bucket_policy" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  policy = data.aws_iam_policy_document.artifacts.json

  # S3 refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.artifacts]
}

resource "aws_s3_object" "artifact" {
  for_each = merge({ for name, _ in local.functions : name => name }, { layer = "layer-${var.functions.architecture}" })

  bucket = aws_s3_bucket.artifacts.id
  # The digest of what the archive holds, not of its bytes: see scripts/build.py.
  key          = "${each.value}/${local.artifacts[each.value].content_sha256}.zip"
  source       = "${local.artifacts_dir}/${local.artifacts[each.value].file}"
  content_type = "application/zip"

  # S3 takes ten tags of an object, which an installation's own tags may exceed.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    # The key says whether it is another archive; the folder that it was built in does not matter.
    ignore_changes = [source]
  }
}

resource "aws_lambda_layer_version" "slipway" {
  layer_name               = var.name_prefix
  description              = "slipway and its dependencies"
  s3_bucket                = aws_s3_object.artifact["layer"].bucket
  s3_key                   = aws_s3_object.artifact["layer"].key
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = [var.functions.architecture]
  license_info             = "Slipway: Apache-2.0. Dependencies, some under the LGPL or MPL: /opt/THIRD_PARTY_LICENSES"

  lifecycle {
    create_before_destroy = true
  }
}
