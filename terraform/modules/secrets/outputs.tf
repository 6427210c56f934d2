output "arns" {
  description = "ARN of each secret: port, github, kafka, links and, if there is one, mirror and slack. Known as soon as the secret exists, whether or not it has a value."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "written_kafka_arn" {
  description = "ARN of the Kafka secret, for those who read its value at once: known when the value is written."
  value       = one([for name in ["kafka"] : aws_secretsmanager_secret.this[name].arn if var.kafka])
  depends_on  = [aws_secretsmanager_secret_version.kafka]
}

output "written_mirror_arn" {
  description = "ARN of the mirror's secret, null without a mirror: known when the value is written."
  value       = try(aws_secretsmanager_secret.this["mirror"].arn, null)
  depends_on  = [aws_secretsmanager_secret_version.mirror]
}

output "key_arn" {
  description = "The key that encrypts secrets, stored records, notices and logs. Known when CloudWatch Logs may use it."
  value       = local.key_arn
}
