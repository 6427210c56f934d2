locals {
  # Port's own brokers, which any organisation can reach once Port's support has created its topics.
  # The addresses come from Port's guide to Kafka self-service actions.
  port_brokers = {
    eu = [for number in [1, 2, 3] : "b-${number}-public.publicclusterprod.t9rw6w.c1.kafka.eu-west-1.amazonaws.com:9196"]
    us = [for number in [1, 2, 3] : "b-${number}-public.production.5v06xt.c21.kafka.us-east-1.amazonaws.com:9196"]
  }

  msk          = var.kafka.mode == "msk"
  made_cluster = local.msk && var.kafka.create != null
  cluster_arn  = local.made_cluster ? module.kafka[0].cluster_arn : var.kafka.cluster_arn
  # Brokers and API are in one region.
  own_port_brokers  = strcontains(var.port.base_url, "://api.us.") ? local.port_brokers.us : local.port_brokers.eu
  bootstrap_servers = local.msk ? [] : coalesce(var.kafka.bootstrap_servers, local.own_port_brokers)

  mirrored_servers = coalesce(try(var.kafka_mirror.source_servers, null), local.own_port_brokers)

  # In a cluster created here, records from before the function are meant for it.
  starting_position = coalesce(var.kafka.starting_position, local.made_cluster ? "TRIM_HORIZON" : "LATEST")
}

module "kafka" {
  source = "./modules/kafka"
  count  = local.made_cluster ? 1 : 0

  name              = var.name_prefix
  settings          = var.kafka.create
  authentication    = var.kafka.authentication
  subnet_ids        = module.network[0].subnet_ids
  security_group_id = module.network[0].security_group_id
  key_arn           = module.secrets.key_arn
  storage_scaling   = var.features.broker_storage_scaling
  logs              = local.logs
}

# Registers the secret's user with the cluster.
resource "aws_msk_single_scram_secret_association" "kafka" {
  count = local.msk && var.kafka.authentication == "SCRAM" ? 1 : 0

  cluster_arn = local.cluster_arn
  secret_arn  = module.secrets.written_kafka_arn # MSK reads the value when it is attached
}

# A function that answers for the other mode loses records. Functions depend on this, and mappings
# on functions. So a change of mode deletes the mappings, then changes the functions, then creates
# the mappings again.
resource "terraform_data" "poller_mode" {
  triggers_replace = var.provisioned_pollers == null ? "on_demand" : "provisioned"
}

module "kafka_trigger" {
  source   = "./modules/kafka_trigger"
  for_each = { for name, function in local.consumers : name => function if !local.by_webhook }

  account = local.account
  name    = each.value.topic
  source_cluster = {
    mode              = var.kafka.mode
    bootstrap_servers = local.bootstrap_servers
    # Through the association, because Lambda signs in when the mapping is created.
    cluster_arn    = try(aws_msk_single_scram_secret_association.kafka[0].cluster_arn, local.cluster_arn)
    authentication = var.kafka.authentication
  }
  org_id              = var.port.org_id
  topic               = local.topics[each.value.topic]
  consumer_group_id   = "${var.port.org_id}.${local.function_names[each.key]}"
  filters             = each.value.filters
  batch_size          = each.value.batch_size
  starting_position   = local.starting_position
  provisioned_pollers = var.provisioned_pollers
  function_alias_arn  = module.function[each.key].alias_arn
  function_role_name  = module.function[each.key].role_name
  secret              = { arn = module.secrets.written_kafka_arn, key_arn = module.secrets.key_arn }
  failed_records      = { bucket_arn = module.storage.records_bucket.arn, key_arn = local.key_arns.records }
}

data "aws_msk_bootstrap_brokers" "mirror" {
  count = var.kafka_mirror == null ? 0 : 1

  cluster_arn = local.cluster_arn
}

module "kafka_mirror" {
  source = "./modules/kafka_mirror"
  count  = var.kafka_mirror == null ? 0 : 1

  account        = local.account
  name           = "${var.name_prefix}-mirror"
  topics         = values(local.topics)
  source_servers = local.mirrored_servers
  source_port    = tonumber(split(":", local.mirrored_servers[0])[1])
  secret         = { arn = module.secrets.written_mirror_arn, key_arn = module.secrets.key_arn }
  target = {
    cluster_arn       = local.cluster_arn
    bootstrap_servers = data.aws_msk_bootstrap_brokers.mirror[0].bootstrap_brokers_sasl_iam
  }
  network = {
    vpc_id            = module.network[0].vpc_id
    subnet_ids        = module.network[0].subnet_ids
    security_group_id = module.network[0].security_group_id
  }
  plugin  = var.kafka_mirror.plugin
  key_arn = module.secrets.key_arn
  logs    = local.logs
  roles   = local.roles
}
