output "name" {
  description = "The bucket's name. Known once the bucket encrypts, keeps versions and locks them."
  value       = aws_s3_bucket.this.id
  depends_on = [
    aws_s3_bucket_object_lock_configuration.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "object_lock" {
  description = "Object Lock's default retention: mode and days. Null: none."
  value       = one(flatten(aws_s3_bucket_object_lock_configuration.this[*].rule[*].default_retention))
}
