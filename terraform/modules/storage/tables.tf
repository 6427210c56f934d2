# Tables are encrypted with the account's key for DynamoDB, because they have no secrets. With another
# key, every role that reads a table would need access to that key.

# One row per run, permanently: it distinguishes a repeated message from a new one.
resource "aws_dynamodb_table" "runs" {
  # checkov:skip=CKV_AWS_119: under the account's key for DynamoDB, see above
  name                        = "${var.name_prefix}-runs"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "run_id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "run_id"
    type = "S"
  }

  attribute {
    name = "open"
    type = "S"
  }

  attribute {
    name = "open_since"
    type = "S"
  }

  # Sparse: only runs that are still open have both attributes.
  global_secondary_index {
    name            = "open_since"
    hash_key        = "open"
    range_key       = "open_since"
    projection_type = "ALL"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# One row per service that is being changed. No expiry: a caller that finds a lock checks its owner.
resource "aws_dynamodb_table" "locks" {
  # checkov:skip=CKV_AWS_119: under the account's key for DynamoDB, see above
  name                        = "${var.name_prefix}-locks"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "service"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "service"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# One row per approval request. The rows have task tokens, so only the functions that answer them
# may read them.
resource "aws_dynamodb_table" "approvals" {
  # checkov:skip=CKV_AWS_119: under the account's key for DynamoDB, see above
  name                        = "${var.name_prefix}-approvals"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# One row per service that was ever checked: it allows one execution at a time, and records repairs.
resource "aws_dynamodb_table" "remediations" {
  # checkov:skip=CKV_AWS_119: under the account's key for DynamoDB, see above
  name                        = "${var.name_prefix}-remediations"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "service"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "service"
    type = "S"
  }

  attribute {
    name = "at_work"
    type = "S"
  }

  # Sparse: only rows with a running execution have the attribute.
  global_secondary_index {
    name            = "at_work"
    hash_key        = "at_work"
    projection_type = "KEYS_ONLY"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# Powertools' idempotency records: they save work, and losing them is harmless.
# https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/#required-resources
resource "aws_dynamodb_table" "idempotency" {
  # checkov:skip=CKV_AWS_119: under the account's key for DynamoDB, see above
  name         = "${var.name_prefix}-idempotency"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "expiration"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}
