locals {
  # The functions that are in a VPC, if one is named: the others call public addresses only.
  function_vpcs = { probe_health = var.health_probe.vpc }
}

module "network" {
  source = "./modules/network"
  count  = local.made_cluster || var.kafka_mirror != null ? 1 : 0

  account = local.account
  name    = var.name_prefix
  cidr    = var.network.cidr
  existing = var.network.vpc_id == null ? null : {
    vpc_id            = var.network.vpc_id
    subnet_ids        = var.network.subnet_ids
    security_group_id = var.network.security_group_id
  }
  endpoints                = var.provisioned_pollers == null
  nat                      = var.kafka_mirror != null
  key_arn                  = module.secrets.key_arn
  log_retention_days       = var.functions.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
}
