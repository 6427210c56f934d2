output "arn" {
  description = "The topic's ARN."
  value       = local.arn
}

output "subscriptions" {
  description = "Each address that is subscribed, and the filter of what it gets; null: everything."
  value       = { for email, subscription in aws_sns_topic_subscription.email : email => subscription.filter_policy }
}
