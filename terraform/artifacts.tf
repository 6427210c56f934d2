# Archives reach Lambda through S3: the provider uploads archives with `filename` one after the
# other, each after Lambda has created the previous function (ADR 17).
module "artifacts" {
  source = "./modules/bucket"

  name = "${var.name_prefix}-artifacts-${local.account.id}-${local.account.region}"
}

resource "aws_s3_object" "artifact" {
  for_each = merge({ for name in toset(concat(values(local.folders), ["check_catalog"])) : name => name }, { layer = "layer-${var.functions.architecture}" })

  bucket = module.artifacts.name
  # The digest of the archive's content, not of its bytes: see scripts/build.py.
  key          = "${each.value}/${local.artifacts[each.value].content_sha256}.zip"
  source       = "${local.artifacts_dir}/${local.artifacts[each.value].file}"
  content_type = "application/zip"

  # S3 allows ten tags per object, and an installation's own tags may exceed that.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    # The key identifies the archive's content, independent of the folder of the build.
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
