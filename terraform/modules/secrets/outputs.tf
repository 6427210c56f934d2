output "arns" {
  description = "ARN of each secret: port, github, kafka. Known as soon as the secret exists, whether or not it has a value."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "key_arn" {
  description = "The key that encrypts secrets and stored records."
  value       = aws_kms_key.this.arn
}
