# A function is one entry here: what it does, which records it gets and what it may do.
locals {
  functions = {
    create_service = {
      description = "Opens the pull request for a new service"
      topic       = "runs"
      filter      = { resourceType = ["run"], action = ["create_service"] }
      grants      = ["secrets", "ledger", "deliver_later"]
    }
  }

  # What functions may do, by concern. Each is limited to the resources of this stack.
  grants = {
    secrets = [
      {
        sid        = "ReadSecrets"
        actions    = ["secretsmanager:GetSecretValue"]
        resources  = [module.secrets.arns["port"], module.secrets.arns["github"]]
        conditions = []
      },
      {
        sid        = "DecryptSecrets"
        actions    = ["kms:Decrypt"]
        resources  = [module.secrets.key_arn]
        conditions = [local.only_via.secretsmanager]
      },
    ]
    ledger = [
      {
        sid        = "KeepLedger"
        actions    = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources  = [for table in module.storage.tables : table.arn]
        conditions = []
      },
    ]
    deliver_later = [
      {
        sid        = "KeepWaitingRecords"
        actions    = ["s3:GetObject", "s3:PutObject"]
        resources  = ["${module.storage.records_bucket.arn}/later/*"]
        conditions = []
      },
      {
        sid        = "UseKeyOfWaitingRecords"
        actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources  = [module.secrets.key_arn]
        conditions = [local.only_via.s3]
      },
      {
        sid        = "DeliverLater"
        actions    = ["states:StartExecution"]
        resources  = [module.deliver_later.arn]
        conditions = []
      },
    ]
  }

  # The key serves secrets and records: each right to it counts for one of the two services only.
  only_via = {
    for service in ["s3", "secretsmanager"] : service => {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["${service}.${local.region}.amazonaws.com"]
    }
  }

  environment = {
    PORT_BASE_URL        = var.port.base_url
    PORT_APP_URL         = var.port.app_url
    PORT_ORG_ID          = var.port.org_id
    PORT_SECRET_ID       = module.secrets.arns["port"]
    PORT_SIGNATURE       = var.port.signature
    GITHUB_API_URL       = var.github.api_url
    GITHUB_SECRET_ID     = module.secrets.arns["github"]
    SERVICES_REPO        = var.github.services_repo
    SERVICES_BASE_BRANCH = var.github.base_branch
    TEAM_REVIEWERS       = jsonencode(var.github.team_reviewers)
    RUNS_TABLE           = module.storage.tables["runs"].name
    LOCKS_TABLE          = module.storage.tables["locks"].name
    IDEMPOTENCY_TABLE    = module.storage.tables["idempotency"].name
    RECORDS_BUCKET       = module.storage.records_bucket.name
    DELIVER_LATER_ARN    = module.deliver_later.arn
  }
}

resource "aws_lambda_layer_version" "slipway" {
  layer_name               = var.name_prefix
  description              = "slipway and its dependencies"
  filename                 = "${local.artifacts_dir}/${local.artifacts["layer-${var.functions.architecture}"].file}"
  source_code_hash         = local.artifacts["layer-${var.functions.architecture}"].content_sha256
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = [var.functions.architecture]
  license_info             = "Apache-2.0"

  lifecycle {
    create_before_destroy = true
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name          = each.key
  function_name = local.function_names[each.key]
  description   = each.value.description
  artifact = {
    path           = "${local.artifacts_dir}/${local.artifacts[each.key].file}"
    content_sha256 = local.artifacts[each.key].content_sha256
  }
  layer_arn                = aws_lambda_layer_version.slipway.arn
  settings                 = var.functions
  environment              = local.environment
  statements               = flatten([for grant in each.value.grants : local.grants[grant]])
  alarm_actions            = var.alarm_actions
  permissions_boundary_arn = var.permissions_boundary_arn
}
