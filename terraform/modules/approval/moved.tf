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

moved {
  from = aws_cloudwatch_event_rule.stopped
  to   = module.machine.aws_cloudwatch_event_rule.stopped[0]
}

moved {
  from = aws_cloudwatch_event_target.sweep_runs
  to   = module.machine.aws_cloudwatch_event_target.sweep_runs[0]
}

moved {
  from = aws_sns_topic.approvals
  to   = module.topic.aws_sns_topic.this[0]
}

moved {
  from = aws_sns_topic_policy.approvals
  to   = module.topic.aws_sns_topic_policy.this[0]
}

moved {
  from = aws_sns_topic_subscription.approver
  to   = module.topic.aws_sns_topic_subscription.email
}
