data "aws_caller_identity" "current" {}
data "aws_partition" "current" {
  lifecycle {
    postcondition {
      # Policies use names of endpoints and services with amazonaws.com, which other partitions do
      # not have.
      condition     = contains(["aws", "aws-us-gov"], self.partition)
      error_message = "Slipway works in the partitions aws and aws-us-gov, not in ${self.partition}: choose a region in one of these partitions."
    }
  }
}
data "aws_region" "current" {
  lifecycle {
    postcondition {
      condition     = var.functions.architecture != "arm64" || !contains(local.regions_without_arm64, self.id)
      error_message = "Lambda has no arm64 in ${self.id}: set functions.architecture = \"x86_64\"."
    }
  }
}

locals {
  account = {
    id        = data.aws_caller_identity.current.account_id
    region    = data.aws_region.current.id # `region` is new in provider 6, which deprecates `name` and `id`
    partition = data.aws_partition.current.partition
  }

  # Lambda has no arm64 there. AWS publishes no list: https://github.com/aws-powertools/powertools-lambda-python/issues/3545
  regions_without_arm64 = ["ca-west-1"]

  account_suffix = var.account_suffix == null ? "-${local.account.region}" : var.account_suffix
  roles          = { path = var.role_path, suffix = local.account_suffix, permissions_boundary_arn = var.permissions_boundary_arn }
  logs           = { prefix = var.log_group_prefix, retention_days = var.functions.log_retention_days }

  # The KMS key of each place: its own key if the caller gave one.
  key_arns = {
    records   = try(var.buckets.records.key.arn, module.secrets.key_arn)
    audit     = try(var.buckets.audit.key.arn, module.secrets.key_arn)
    approvals = var.notification_topics.approvals == null ? [module.secrets.key_arn] : var.notification_topics.approvals.key[*].arn
    alerts    = var.notification_topics.alerts == null ? [module.secrets.key_arn] : var.notification_topics.alerts.key[*].arn
  }

  artifacts_dir = coalesce(var.artifacts_dir, "${path.module}/../build")
  artifacts     = jsondecode(file("${local.artifacts_dir}/artifacts.json"))

  # Port's topics; those of a mirror in MSK have the same names.
  topics = merge(
    { runs = "${var.port.org_id}.runs" },
    { for name in ["change_log"] : name => "${var.port.org_id}.change.log" if var.changes.source == name },
  )

  # A namespace per installation is free; a dimension would multiply every metric.
  metrics_namespace = "Slipway/${var.name_prefix}"

  # Composed instead of read from the modules, to avoid a cycle: functions name the state machine
  # that names the functions.
  function_names = { for name, _ in local.functions : name => "${var.name_prefix}-${name}" }
  # Composed for the same reason: the function that runs its steps starts its next execution.
  machine_arn_prefix      = "arn:${local.account.partition}:states:${local.account.region}:${local.account.id}:stateMachine"
  remediation_machine_arn = "${local.machine_arn_prefix}:${var.name_prefix}-remediation"
  function_alias_arns = {
    for name, function_name in local.function_names :
    name => "arn:${local.account.partition}:lambda:${local.account.region}:${local.account.id}:function:${function_name}:live"
  }
}
