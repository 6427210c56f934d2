locals {
  # The function that connects to arbitrary health URLs has its own VPC, or none.
  vpc_of_functions = { for name, _ in local.functions : name => name == "probe_health" ? var.health_probe.vpc : var.functions.vpc }
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
  endpoints = var.provisioned_pollers == null
  nat       = var.kafka_mirror != null
  key_arn   = module.secrets.key_arn
  logs      = local.logs
  roles     = local.roles
}
