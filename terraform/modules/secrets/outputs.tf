output "arns" {
  description = "ARN of each secret: port, github, kafka, links and, if used, mirror and slack. Known once the secret exists, with or without a value."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "written_kafka_arn" {
  description = "ARN of the Kafka secret, for readers of its value: known once the value is written."
  value       = one([for name in ["kafka"] : aws_secretsmanager_secret.this[name].arn if var.kafka])
  depends_on  = [aws_secretsmanager_secret_version.kafka]
}

output "written_mirror_arn" {
  description = "ARN of the mirror's secret, null without a mirror: known once the value is written."
  value       = try(aws_secretsmanager_secret.this["mirror"].arn, null)
  depends_on  = [aws_secretsmanager_secret_version.mirror]
}

output "key_arn" {
  description = "The key that encrypts secrets, stored records, notifications and logs. Known once CloudWatch Logs may use it."
  value       = local.key_arn
}
