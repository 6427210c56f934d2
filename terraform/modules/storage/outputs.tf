output "tables" {
  description = "Name and ARN of each table: runs, locks, idempotency."
  value = {
    for key, table in {
      runs        = aws_dynamodb_table.runs
      locks       = aws_dynamodb_table.locks
      idempotency = aws_dynamodb_table.idempotency
    } : key => { name = table.name, arn = table.arn }
  }
}

output "records_bucket" {
  description = "Name and ARN of the bucket for records that wait (`later/`) or failed (`aws/lambda/`, `held/`)."
  value       = { name = aws_s3_bucket.records.id, arn = aws_s3_bucket.records.arn }
}

output "failed_records_queue" {
  description = "URL and ARN of the queue with a message for each failed record."
  value       = { url = aws_sqs_queue.failed_records.id, arn = aws_sqs_queue.failed_records.arn }
}
