mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  account             = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name_prefix         = "slipway"
  key_arn             = "arn:aws:kms:eu-west-1:111122223333:key/k"
  deletion_protection = true
  lifecycle_rules     = true
  audit               = { mode = "COMPLIANCE", retention_days = 500 }
}

run "tables_are_encrypted_recoverable_and_paid_by_request" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([
      for table in [aws_dynamodb_table.runs, aws_dynamodb_table.locks, aws_dynamodb_table.idempotency, aws_dynamodb_table.approvals] :
      table.server_side_encryption[0].enabled && table.point_in_time_recovery[0].enabled && table.billing_mode == "PAY_PER_REQUEST"
    ])
    error_message = "Each table."
  }

  assert {
    condition     = aws_dynamodb_table.runs.deletion_protection_enabled && aws_dynamodb_table.locks.deletion_protection_enabled && aws_dynamodb_table.approvals.deletion_protection_enabled
    error_message = "The ledger cannot be deleted by accident."
  }

  assert {
    condition     = aws_dynamodb_table.runs.hash_key == "run_id" && aws_dynamodb_table.locks.hash_key == "service" && aws_dynamodb_table.idempotency.hash_key == "id" && aws_dynamodb_table.approvals.hash_key == "id"
    error_message = "The keys are those that the code uses."
  }

  assert {
    condition     = aws_dynamodb_table.approvals.range_key == null && length(aws_dynamodb_table.approvals.global_secondary_index) == 0 && length(aws_dynamodb_table.approvals.ttl) == 0
    error_message = "Requests are found by their id alone, and none disappears."
  }

  assert {
    condition = alltrue([
      for index in aws_dynamodb_table.runs.global_secondary_index :
      index.name == "open_since" && index.hash_key == "open" && index.range_key == "open_since"
    ])
    error_message = "Open runs are found by the sparse index."
  }

  assert {
    condition     = one(aws_dynamodb_table.idempotency.ttl).attribute_name == "expiration" && one(aws_dynamodb_table.idempotency.ttl).enabled
    error_message = "Idempotency records expire by Powertools' attribute."
  }
}

run "only_what_was_dealt_with_expires" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.records[0].rule : rule.filter[0].prefix => rule.expiration[0].days if length(rule.expiration) > 0
    } == { "later/" = 14, "webhook/" = 30, "requests/" = 120, "approvals/" = 120, "archive/" = 90 }
    error_message = "Only waiting records, previews and what was dealt with expire; failed ones stay until somebody has dealt with them, and so does the policy."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.records[0].rule : rule.filter[0].prefix => rule.noncurrent_version_expiration[0].noncurrent_days if length(rule.noncurrent_version_expiration) > 0
    } == { "later/" = 14, "webhook/" = 14, "requests/" = 14, "approvals/" = 14, "archive/" = 14, "policy/" = 14, "aws/lambda/" = 14, "held/" = 14, "catalog/" = 500 }
    error_message = "Old versions expire after two weeks, those of the catalog after the audit retention; no rule is for the whole bucket."
  }
}

run "failed_records_are_announced_and_watched" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = toset([for notice in aws_s3_bucket_notification.records.queue : notice.filter_prefix]) == toset(["aws/lambda/", "held/"])
    error_message = "Both kinds of failed records are announced, waiting ones are not."
  }

  assert {
    condition     = aws_sqs_queue.failed_records.sqs_managed_sse_enabled && aws_sqs_queue.failed_records.message_retention_seconds == 1209600
    error_message = "Notices are encrypted and kept for as long as SQS can."
  }

  assert {
    condition = toset([
      for condition in data.aws_iam_policy_document.failed_records.statement[0].condition : condition.variable
    ]) == toset(["aws:SourceArn", "aws:SourceAccount"])
    error_message = "Only this bucket of this account may write to the queue."
  }

  assert {
    condition     = module.audit[0].object_lock.mode == "COMPLIANCE" && module.audit[0].object_lock.days == 500 && module.records[0].object_lock == null
    error_message = "Records of decisions are kept from everybody for as long as was asked."
  }
}

run "the_sandbox_can_be_taken_away" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    deletion_protection = false
    lifecycle_rules     = false
    audit               = { mode = "GOVERNANCE", retention_days = 1 }
  }

  assert {
    condition     = !aws_dynamodb_table.runs.deletion_protection_enabled && length(aws_s3_bucket_lifecycle_configuration.records) == 0
    error_message = "Tables can be deleted, and no rule is waited for."
  }
}
