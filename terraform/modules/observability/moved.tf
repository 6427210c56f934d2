# Addresses of resources in installations from before the shared modules.
moved {
  from = aws_sns_topic.alarms[0]
  to   = module.topic[0].aws_sns_topic.this[0]
}

moved {
  from = aws_sns_topic_policy.alarms[0]
  to   = module.topic[0].aws_sns_topic_policy.this[0]
}

moved {
  from = aws_sns_topic_subscription.alarms
  to   = module.topic[0].aws_sns_topic_subscription.email
}
