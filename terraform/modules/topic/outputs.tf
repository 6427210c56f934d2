output "arn" {
  description = "The topic's ARN."
  value       = local.arn
}

output "subscriptions" {
  description = "Each subscribed address and its filter; null: no filter."
  value       = { for email, subscription in aws_sns_topic_subscription.email : email => subscription.filter_policy }
}
