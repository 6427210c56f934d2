data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # What the functions emit, and with which dimensions; a test compares it with their code.
  metrics = jsondecode(file("${path.module}/metrics.json"))

  # A search finds exactly the metrics that have these dimensions, whatever their values.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
  searches = {
    for name, dimensions in local.metrics :
    name => "{\"${var.metrics_namespace}\",${join(",", dimensions)}} MetricName=\"${name}\""
  }
}

# Traces of these functions only, with a map of their own.
resource "aws_xray_group" "this" {
  count = var.xray_group ? 1 : 0

  group_name        = var.name_prefix
  filter_expression = join(" OR ", [for function in var.functions : "service(\"${function.function_name}\")"])
}
