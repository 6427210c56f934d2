# Addresses of resources in installations from before the shared modules.
moved {
  from = aws_iam_role.this
  to   = module.machine.aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.this
  to   = module.machine.aws_iam_role_policy.this
}

moved {
  from = aws_sfn_state_machine.this
  to   = module.machine.aws_sfn_state_machine.this
}

moved {
  from = aws_cloudwatch_log_group.this
  to   = module.machine.aws_cloudwatch_log_group.this
}
