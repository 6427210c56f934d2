output "functions" {
  description = "Per function: its name, the alias to call, its log group, consumer group and event source mapping."
  value = {
    for name, function in module.function : name => {
      function_name        = function.function_name
      alias_arn            = function.alias_arn
      role_name            = function.role_name
      log_group_name       = function.log_group_name
      consumer_group_id    = module.kafka_trigger[name].consumer_group_id
      event_source_mapping = module.kafka_trigger[name].uuid
    }
  }
}

output "topics" {
  description = "The Kafka topics that must exist: `runs` and `change_log`."
  value       = local.topics
}

output "kafka" {
  description = "Where the records come from: mode, and the brokers (external) or the MSK cluster."
  value = {
    mode              = var.kafka.mode
    bootstrap_servers = local.bootstrap_servers
    cluster_arn       = local.cluster_arn
    starting_position = local.starting_position
  }
}

output "secrets" {
  description = "ARN of each secret: port, github, kafka. A person fills them in where `secret_versions` is 0."
  value       = module.secrets.arns
}

output "tables" {
  description = "Name of each DynamoDB table: runs, locks, idempotency."
  value       = { for key, table in module.storage.tables : key => table.name }
}

output "records_bucket" {
  description = "Bucket with waiting (`later/`) and failed records (`aws/lambda/`, `held/`)."
  value       = module.storage.records_bucket.name
}

output "failed_records_queue_url" {
  description = "Queue with a message for each failed record."
  value       = module.storage.failed_records_queue.url
}

output "deliver_later_arn" {
  description = "State machine that delivers a run later."
  value       = module.deliver_later.arn
}
