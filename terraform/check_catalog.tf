# The catalog in S3, and the check without which no function gets to know of it.
locals {
  catalog_key = "catalog/catalog.json"

  read_catalog = {
    sid = "ReadCatalog"
    # Of the version that is named, which an apply has checked.
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
  # What begins with a dot is not the catalog's, as the folder of Git.
  content = jsonencode({
    files = { for file in fileset(local.catalog_dir, "**") : file => filebase64("${local.catalog_dir}/${file}") if !startswith(file, ".") }
  })
  content_type = "application/json"

  # S3 takes ten tags of an object, which an installation's own tags may exceed.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.actions) > 0
      error_message = "There is no action in ${local.catalog_dir}: catalog_dir must be the folder of a catalog, with a file <kind>/<action>/action.json for each action."
    }

    precondition {
      condition     = length(local.refused_names) == 0
      error_message = "These cannot be names of actions: ${join(", ", local.refused_names)}. An action's folder has lower-case words with _ between them, at most 39 characters; no two kinds may have an action of one name, and none of ${join(", ", local.reserved_names)}, which are Slipway's own functions."
    }
  }
}

module "check_catalog" {
  source = "./modules/function"

  name          = "check_catalog"
  folder        = "check_catalog"
  function_name = "${var.name_prefix}-check_catalog"
  description   = "Refuses a catalog with faults, within the apply that brings it"
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

# It fails with all faults of the catalog. What depends on it, the functions and the policy, stays as it was then.
resource "aws_lambda_invocation" "check_catalog" {
  function_name = module.check_catalog.function_name
  qualifier     = module.check_catalog.alias_name
  input = jsonencode({
    catalog_version = aws_s3_object.catalog.version_id
    policy          = local.policy
  })

  # A catalog that was accepted once is checked again by code that may accept less.
  triggers = {
    layer = aws_lambda_layer_version.slipway.arn
    code  = aws_s3_object.artifact["check_catalog"].key
  }
}

check "approval_rules" {
  assert {
    condition     = length(local.actions_without_rule) == 0
    error_message = "No rule of approvals.rules is for ${join(", ", local.actions_without_rule)}: their runs need the general approvers in every environment."
  }
}
