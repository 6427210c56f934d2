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
  description = "Name and ARN of the records bucket: records that wait (`later/`, `requests/`) or failed (`aws/lambda/`, `held/`; once settled, `archive/`), previews (`approvals/`) and the policy. Known once it encrypts and keeps versions."
  value       = local.buckets.records
}

output "failed_prefixes" {
  description = "Prefixes of the keys of failed records."
  value       = values(local.failed_prefixes)
}

output "audit_bucket" {
  description = "Name and ARN of the bucket for records of decisions. Known once it encrypts them and prevents their deletion."
  value       = local.buckets.audit
}

output "failed_records_queue_name" {
  description = "Name of the queue with a message for each failed record. Known before the queue exists: the provider waits 25 s for its attributes, and alarms need not wait."
  value       = local.queue_name
}

output "failed_records_queue_url" {
  description = "URL of that queue."
  value       = aws_sqs_queue.failed_records.id
}

output "failed_records_queue_arn" {
  description = "ARN of that queue."
  value       = local.queue_arn
}
