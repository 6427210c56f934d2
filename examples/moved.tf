# Needed for the first plan of a root that calls the module, if the state was made with terraform/
# as the root (before 0.1.0). Copy this file beside main.tf; delete it after the apply.
moved {
  from = aws_cloudwatch_event_rule.sweep
  to   = module.slipway.aws_cloudwatch_event_rule.sweep
}

moved {
  from = aws_cloudwatch_event_target.sweep
  to   = module.slipway.aws_cloudwatch_event_target.sweep
}

moved {
  from = aws_iam_role_policy.sweep_mappings
  to   = module.slipway.aws_iam_role_policy.sweep_mappings
}

moved {
  from = aws_lambda_layer_version.slipway
  to   = module.slipway.aws_lambda_layer_version.slipway
}

moved {
  from = aws_msk_single_scram_secret_association.kafka
  to   = module.slipway.aws_msk_single_scram_secret_association.kafka
}

moved {
  from = aws_s3_bucket.artifacts
  to   = module.slipway.aws_s3_bucket.artifacts
}

moved {
  from = aws_s3_bucket_policy.artifacts
  to   = module.slipway.aws_s3_bucket_policy.artifacts
}

moved {
  from = aws_s3_bucket_public_access_block.artifacts
  to   = module.slipway.aws_s3_bucket_public_access_block.artifacts
}

moved {
  from = aws_s3_object.artifact
  to   = module.slipway.aws_s3_object.artifact
}

moved {
  from = aws_s3_object.consumers
  to   = module.slipway.aws_s3_object.consumers
}

moved {
  from = aws_s3_object.policy
  to   = module.slipway.aws_s3_object.policy
}

moved {
  from = aws_s3_object.remediation_policy
  to   = module.slipway.aws_s3_object.remediation_policy
}

moved {
  from = module.approval
  to   = module.slipway.module.approval
}

moved {
  from = module.deliver_later
  to   = module.slipway.module.deliver_later
}

moved {
  from = module.function
  to   = module.slipway.module.function
}

moved {
  from = module.kafka
  to   = module.slipway.module.kafka
}

moved {
  from = module.kafka_mirror
  to   = module.slipway.module.kafka_mirror
}

moved {
  from = module.kafka_trigger
  to   = module.slipway.module.kafka_trigger
}

moved {
  from = module.network
  to   = module.slipway.module.network
}

moved {
  from = module.observability
  to   = module.slipway.module.observability
}

moved {
  from = module.remediation
  to   = module.slipway.module.remediation
}

moved {
  from = module.reports
  to   = module.slipway.module.reports
}

moved {
  from = module.secrets
  to   = module.slipway.module.secrets
}

moved {
  from = module.storage
  to   = module.slipway.module.storage
}

moved {
  from = terraform_data.poller_mode
  to   = module.slipway.terraform_data.poller_mode
}
