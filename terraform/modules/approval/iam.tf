data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  # The function of the same name has a role of that name.
  name                 = "${local.name}-machine"
  description          = "State machine ${local.name}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "TakeSteps"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.function_alias_arn]
  }

  statement {
    sid = "WriteLog"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    # CloudWatch knows no resource for log deliveries.
    # https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    resources = ["*"]
  }

  statement {
    sid = "WriteTraces"
    actions = [
      "xray:GetSamplingRules",
      "xray:GetSamplingTargets",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]
    # X-Ray knows no resource for these.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "state-machine"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "api_log_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "api_log" {
  count = var.api.manage_account ? 1 : 0

  name                 = "${var.name_prefix}-api-gateway-log"
  description          = "Access logs of the APIs of this account and region"
  assume_role_policy   = data.aws_iam_policy_document.api_log_assume.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "api_log" {
  # checkov:skip=CKV_AWS_111: API Gateway refuses a narrower one, see below
  # checkov:skip=CKV_AWS_356: API Gateway refuses a narrower one, see below
  statement {
    sid = "WriteAccessLogs"
    actions = [
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:DescribeLogGroups",
      "logs:DescribeLogStreams",
      "logs:FilterLogEvents",
      "logs:GetLogEvents",
      "logs:PutLogEvents",
    ]
    # API Gateway refuses a role that may not do this for every API of the account.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "api_log" {
  count = var.api.manage_account ? 1 : 0

  name   = "access-logs"
  role   = aws_iam_role.api_log[0].id
  policy = data.aws_iam_policy_document.api_log.json
}
