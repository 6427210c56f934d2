# Refused connections, to diagnose a connection that fails.
resource "aws_flow_log" "this" {
  count = local.made ? 1 : 0

  vpc_id          = aws_vpc.this[0].id
  traffic_type    = "REJECT"
  log_destination = aws_cloudwatch_log_group.flow_log[0].arn
  iam_role_arn    = aws_iam_role.flow_log[0].arn

  tags = { Name = var.name }
}

resource "aws_cloudwatch_log_group" "flow_log" {
  count = local.made ? 1 : 0

  name              = "${var.logs.prefix}/vpc/${var.name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.key_arn
}

data "aws_iam_policy_document" "flow_log_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "flow_log" {
  count = local.made ? 1 : 0

  name                 = "${var.name}-flow-log${var.roles.suffix}"
  description          = "Flow log of VPC ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.flow_log_assume.json
  path                 = var.roles.path
  permissions_boundary = var.roles.permissions_boundary_arn
}

data "aws_iam_policy_document" "flow_log" {
  count = local.made ? 1 : 0

  statement {
    sid       = "WriteFlowLog"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.flow_log[0].arn}:*"]
  }

  statement {
    sid     = "FindLogGroup"
    actions = ["logs:DescribeLogGroups"]
    # CloudWatch requires this permission for all groups of the account and region.
    resources = ["arn:${var.account.partition}:logs:${var.account.region}:${var.account.id}:log-group:*"]
  }
}

resource "aws_iam_role_policy" "flow_log" {
  count = local.made ? 1 : 0

  name   = "flow-log"
  role   = aws_iam_role.flow_log[0].id
  policy = data.aws_iam_policy_document.flow_log[0].json
}
