mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name = "slipway-example"
}

run "a_bucket_is_private_and_requires_tls" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy &&
      aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    )
    error_message = "Public access is blocked in all four ways."
  }

  assert {
    condition = one([
      for condition in data.aws_iam_policy_document.this.statement[0].condition : condition.values if condition.variable == "aws:SecureTransport"
    ]) == tolist(["false"]) && data.aws_iam_policy_document.this.statement[0].effect == "Deny"
    error_message = "Access without TLS is denied."
  }

  assert {
    condition     = aws_s3_bucket.this.bucket == "slipway-example" && !aws_s3_bucket.this.force_destroy && length(aws_s3_bucket_versioning.this) == 0
    error_message = "A bucket with objects is not deleted, and one with content-addressed objects has no versions."
  }
}

run "data_are_encrypted_and_versioned" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    encryption = { key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k" }
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).kms_master_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k"
    error_message = "The stack's key encrypts."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled" && aws_s3_bucket_ownership_controls.this[0].rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Versions are kept, and access lists are off."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "Without `object_lock`, objects are not locked."
  }
}

run "locked_objects_have_the_configured_retention" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    encryption  = { key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k" }
    object_lock = { mode = "COMPLIANCE", retention_days = 400 }
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled
    error_message = "The bucket is created with Object Lock."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_object_lock_configuration.this[0].rule : [rule.default_retention[0].mode, tostring(rule.default_retention[0].days)]
    ] == [["COMPLIANCE", "400"]]
    error_message = "Each object has the configured retention."
  }
}

run "a_sandbox_can_be_deleted" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    deletion_protection = false
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy
    error_message = "The bucket can be deleted with its objects."
  }
}
