# Addresses of resources in installations from before the shared modules.
moved {
  from = aws_s3_bucket.records
  to   = module.records[0].aws_s3_bucket.this
}

moved {
  from = aws_s3_bucket_public_access_block.records
  to   = module.records[0].aws_s3_bucket_public_access_block.this
}

moved {
  from = aws_s3_bucket_policy.records
  to   = module.records[0].aws_s3_bucket_policy.this
}

moved {
  from = aws_s3_bucket_ownership_controls.records
  to   = module.records[0].aws_s3_bucket_ownership_controls.this[0]
}

moved {
  from = aws_s3_bucket_versioning.records
  to   = module.records[0].aws_s3_bucket_versioning.this[0]
}

moved {
  from = aws_s3_bucket_server_side_encryption_configuration.records
  to   = module.records[0].aws_s3_bucket_server_side_encryption_configuration.this[0]
}

moved {
  from = aws_s3_bucket.audit
  to   = module.audit[0].aws_s3_bucket.this
}

moved {
  from = aws_s3_bucket_public_access_block.audit
  to   = module.audit[0].aws_s3_bucket_public_access_block.this
}

moved {
  from = aws_s3_bucket_policy.audit
  to   = module.audit[0].aws_s3_bucket_policy.this
}

moved {
  from = aws_s3_bucket_ownership_controls.audit
  to   = module.audit[0].aws_s3_bucket_ownership_controls.this[0]
}

moved {
  from = aws_s3_bucket_versioning.audit
  to   = module.audit[0].aws_s3_bucket_versioning.this[0]
}

moved {
  from = aws_s3_bucket_server_side_encryption_configuration.audit
  to   = module.audit[0].aws_s3_bucket_server_side_encryption_configuration.this[0]
}

moved {
  from = aws_s3_bucket_object_lock_configuration.audit
  to   = module.audit[0].aws_s3_bucket_object_lock_configuration.this[0]
}
