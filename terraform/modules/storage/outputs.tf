output "tables" {
  description = "Name and ARN of each table: runs, locks, idempotency, approvals, remediations."
  value = {
    for key, table in {
      runs         = aws_dynamodb_table.runs
      locks        = aws_dynamodb_table.locks
      idempotency  = aws_dynamodb_table.idempotency
      approvals    = aws_dynamodb_table.approvals
      remediations = aws_dynamodb_table.remediations
    } : key => { name = table.name, arn = table.arn }
  }
}

output "records_bucket" {
  description = "Name and ARN of the bucket for records that wait (`later/`, `requests/`) or failed (`aws/lambda/`, `held/`; once dealt with, `archive/`), for previews (`approvals/`) and the policy. Known when it encrypts and keeps versions."
  value       = { name = aws_s3_bucket.records.id, arn = aws_s3_bucket.records.arn }
  depends_on  = [aws_s3_bucket_versioning.records, aws_s3_bucket_server_side_encryption_configuration.records]
}

output "failed_prefixes" {
  description = "What the keys of failed records begin with."
  value       = values(local.failed_prefixes)
}

output "audit_bucket" {
  description = "Name and ARN of the bucket for records of decisions. Known when it encrypts them and keeps them from being deleted."
  value       = { name = aws_s3_bucket.audit.id, arn = aws_s3_bucket.audit.arn }
  depends_on  = [aws_s3_bucket_object_lock_configuration.audit, aws_s3_bucket_server_side_encryption_configuration.audit]
}

output "failed_records_queue_name" {
  description = "Name of the queue with a message for each failed record. Known before the queue is there: the provider waits 25 s for its attributes, and no alarm needs to."
  value       = local.queue_name
}

output "failed_records_queue_url" {
  description = "URL of that queue."
  value       = aws_sqs_queue.failed_records.id
}
