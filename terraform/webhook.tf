# Runs and changes by webhook: a queue for each function that would otherwise read a topic. The API is that of reports.
locals {
  by_webhook = var.run_source.mode == "webhook"

  # What comes in batches is about entities, whose changes stay in order.
  queue_names = {
    for name, function in local.consumers : name => "${local.function_names[name]}${function.batch_size > 1 ? ".fifo" : ""}" if local.by_webhook
  }
  queue_arn_prefix = "arn:${local.account.partition}:sqs:${local.account.region}:${local.account.id}"

  # As slipway.runs.queues reads it. What a filter of Kafka's looks for is what a message is routed by.
  queues = {
    runs = merge(flatten([
      for name, queue in module.queue_trigger : [
        for filter in local.consumers[name].filters : { for action in lookup(filter, "action", []) : action => queue.url }
      ]
    ])...)
    entities = one([
      for name, queue in module.queue_trigger : queue.url
      if anytrue([for filter in local.consumers[name].filters : contains(lookup(filter, "resourceType", []), "entity")])
    ])
    dead_letters = { for name, queue in module.queue_trigger : queue.dead_letters_url => local.function_names[name] }
  }
}

module "queue_trigger" {
  source   = "./modules/queue_trigger"
  for_each = local.queue_names

  account                  = local.account
  queue_name               = each.value
  batch_size               = local.consumers[each.key].batch_size
  concurrency              = var.run_source.concurrency
  maximum_receives         = var.run_source.maximum_receives
  function_alias_arn       = module.function[each.key].alias_arn
  function_role_name       = module.function[each.key].role_name
  function_timeout_seconds = var.functions.timeout_seconds
}

# Where each message goes, and what the sweep empties. Not in an environment: lists that grow with an installation.
resource "aws_s3_object" "queues" {
  bucket       = module.storage.records_bucket.name
  key          = "policy/queues.json"
  content      = jsonencode(local.queues)
  content_type = "application/json"

  # S3 takes ten tags of an object, which an installation's own tags may exceed.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}
