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
    error_message = "Each table is encrypted, recoverable and billed per request."
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
    error_message = "Requests have only an id as key, and do not expire."
  }

  assert {
    condition = alltrue([
      for index in aws_dynamodb_table.runs.global_secondary_index :
      index.name == "open_since" && index.hash_key == "open" && index.range_key == "open_since"
    ])
    error_message = "The sparse index has open runs."
  }

  assert {
    condition     = one(aws_dynamodb_table.idempotency.ttl).attribute_name == "expiration" && one(aws_dynamodb_table.idempotency.ttl).enabled
    error_message = "Idempotency records expire by Powertools' attribute."
  }
}

run "only_waiting_and_settled_records_expire" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.records[0].rule : rule.filter[0].prefix => rule.expiration[0].days if length(rule.expiration) > 0
    } == { "later/" = 14, "webhook/" = 30, "requests/" = 120, "approvals/" = 120, "archive/" = 90 }
    error_message = "Waiting records, previews and settled records expire; failed records and the policy do not."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.records[0].rule : rule.filter[0].prefix => rule.noncurrent_version_expiration[0].noncurrent_days if length(rule.noncurrent_version_expiration) > 0
    } == { "later/" = 14, "webhook/" = 14, "requests/" = 14, "approvals/" = 14, "archive/" = 14, "policy/" = 14, "aws/lambda/" = 14, "held/" = 14, "catalog/" = 500 }
    error_message = "Old versions expire after two weeks, and those of the catalog after the audit retention; each rule has a prefix."
  }
}

run "failed_records_send_notifications" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = toset([for notice in aws_s3_bucket_notification.records.queue : notice.filter_prefix]) == toset(["aws/lambda/", "held/"])
    error_message = "Both kinds of failed records send a notification, but waiting records do not."
  }

  assert {
    condition     = aws_sqs_queue.failed_records.sqs_managed_sse_enabled && aws_sqs_queue.failed_records.message_retention_seconds == 1209600
    error_message = "Notifications are encrypted, and have the longest retention of SQS."
  }

  assert {
    condition = toset([
      for condition in data.aws_iam_policy_document.failed_records.statement[0].condition : condition.variable
    ]) == toset(["aws:SourceArn", "aws:SourceAccount"])
    error_message = "Only this bucket of this account may write to the queue."
  }

  assert {
    condition     = module.audit[0].object_lock.mode == "COMPLIANCE" && module.audit[0].object_lock.days == 500 && module.records[0].object_lock == null
    error_message = "Records of decisions have the configured retention."
  }
}

run "a_sandbox_can_be_deleted" {
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
    error_message = "Tables can be deleted, and lifecycle rules are not created."
  }
}
