module "secrets" {
  source = "./modules/secrets"

  account             = local.account
  name_prefix         = var.name_prefix
  existing_key        = var.encryption_key
  kafka               = !local.by_webhook
  msk                 = local.msk
  versions            = var.secret_versions
  port_credentials    = var.port_credentials
  github_credentials  = var.github_credentials
  kafka_credentials   = var.kafka_credentials
  mirror              = var.kafka_mirror != null
  mirror_credentials  = var.mirror_credentials
  slack_webhook_url   = var.slack_webhook_url
  deletion_protection = var.deletion_protection
}

module "storage" {
  source = "./modules/storage"

  account             = local.account
  name_prefix         = var.name_prefix
  key_arn             = module.secrets.key_arn
  deletion_protection = var.deletion_protection
  lifecycle_rules     = var.features.records_lifecycle
  existing_buckets    = var.buckets
  audit               = var.approvals.audit
}

module "deliver_later" {
  source = "./modules/deliver_later"

  account                  = local.account
  name                     = "${var.name_prefix}-deliver_later"
  runs_table               = module.storage.tables["runs"]
  records_bucket           = merge(module.storage.records_bucket, { key_arn = local.key_arns.records })
  key_arn                  = module.secrets.key_arn
  function_alias_arns      = [for name, function in local.functions : local.function_alias_arns[name] if contains(function.grants, "deliver_later")]
  function_timeout_seconds = var.functions.timeout_seconds
  logs                     = local.logs
  roles                    = local.roles
}
