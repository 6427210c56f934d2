# The catalog in S3, and its check, without which no function gets its version.
locals {
  catalog_key = "catalog/catalog.json"

  read_catalog = {
    sid = "ReadCatalog"
    # The version that an apply has checked.
    actions    = ["s3:GetObjectVersion"]
    resources  = ["${module.storage.records_bucket.arn}/${local.catalog_key}"]
    conditions = []
  }
  decrypt_records = {
    sid        = "DecryptRecords"
    actions    = ["kms:Decrypt"]
    resources  = [local.key_arns.records]
    conditions = [local.only_via.s3]
  }
}

resource "aws_s3_object" "catalog" {
  bucket = module.storage.records_bucket.name
  key    = local.catalog_key
  # Names with a leading dot, such as .git, do not belong to the catalog.
  content = jsonencode({
    files = { for file in fileset(local.catalog_dir, "**") : file => filebase64("${local.catalog_dir}/${file}") if !startswith(file, ".") }
  })
  content_type = "application/json"

  # S3 allows ten tags per object, and an installation's own tags may exceed that.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.actions) > 0
      error_message = "No action was found in ${local.catalog_dir}: catalog_dir must be the folder of a catalog, with a file <kind>/<action>/action.json for each action."
    }

    precondition {
      condition     = length(local.refused_names) == 0
      error_message = "These names are not allowed for actions: ${join(", ", local.refused_names)}. Use lower-case words with _ between them, at most 39 characters, each name in one kind only, and none of ${join(", ", local.reserved_names)}, which are Slipway's own functions."
    }
  }
}

module "check_catalog" {
  source = "./modules/function"

  name          = "check_catalog"
  folder        = "check_catalog"
  function_name = "${var.name_prefix}-check_catalog"
  description   = "Refuses a catalog with faults during the apply"
  artifact = {
    bucket = aws_s3_object.artifact["check_catalog"].bucket
    key    = aws_s3_object.artifact["check_catalog"].key
  }
  layer_arn = aws_lambda_layer_version.slipway.arn
  settings  = var.functions
  key_arn   = module.secrets.key_arn
  logs      = local.logs
  vpc       = var.functions.vpc
  environment = {
    for variable in local.settings["check_catalog"] : variable => { CATALOG_BUCKET = aws_s3_object.catalog.bucket, CATALOG_KEY = aws_s3_object.catalog.key }[variable]
  }
  metrics_namespace = local.metrics_namespace
  statements        = [local.read_catalog, local.decrypt_records]
  roles             = local.roles
}

# The check fails with all faults of the catalog. Then the functions and the policy, which depend on
# it, stay unchanged.
resource "aws_lambda_invocation" "check_catalog" {
  function_name = module.check_catalog.function_name
  qualifier     = module.check_catalog.alias_name
  input = jsonencode({
    catalog_version = aws_s3_object.catalog.version_id
    policy          = local.policy
  })

  # New code may refuse a catalog that older code accepted, so it is checked again.
  triggers = {
    layer = aws_lambda_layer_version.slipway.arn
    code  = aws_s3_object.artifact["check_catalog"].key
  }
}

check "approval_rules" {
  assert {
    condition     = length(local.actions_without_rule) == 0
    error_message = "No rule of approvals.rules matches ${join(", ", local.actions_without_rule)}: their runs need the general approvers in every environment."
  }
}
