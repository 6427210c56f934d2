locals {
  alarm_actions = concat(var.alarm_actions, module.topic[*].arn)

  # Metrics of the functions and their dimensions; a test compares them with the code.
  metrics = jsondecode(file("${path.module}/metrics.json"))

  # A search finds exactly the metrics with these dimensions, for any values.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
  searches = {
    for name, dimensions in local.metrics :
    name => "{\"${var.metrics_namespace}\",${join(",", dimensions)}} MetricName=\"${name}\""
  }
}

# Traces of these functions only, with their own map.
resource "aws_xray_group" "this" {
  count = var.xray_group ? 1 : 0

  group_name        = var.name_prefix
  filter_expression = join(" OR ", [for function in var.functions : "service(\"${function.function_name}\")"])
}

# Sends alarms by e-mail, if addresses are given.
module "topic" {
  source = "../topic"
  count  = length(var.alarm_emails) > 0 ? 1 : 0

  account       = var.account
  name          = "${var.name_prefix}-alarms"
  key_arn       = var.key_arn
  emails        = var.alarm_emails
  alarms_prefix = var.name_prefix
}
