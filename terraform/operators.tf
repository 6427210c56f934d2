# Denies a role all ways to decide other than the approval flow. The operator attaches it: inline in
# a permission set of IAM Identity Center, or as a service control policy. docs/security.md
# describes what it prevents, and which scripts then need another role.
locals {
  function_arn_prefix = "arn:${local.account.partition}:lambda:${local.account.region}:${local.account.id}:function:${var.name_prefix}-"
  iam_arn_prefix      = "arn:${local.account.partition}:iam::${local.account.id}:role"

  operators_denied = {
    # The approval function trusts its event, and the remediation function trusts the decision in
    # it.
    DecideByInvoking = {
      actions   = ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]
      resources = flatten([for name in ["approval", "remediation"] : ["${local.function_arn_prefix}${name}", "${local.function_arn_prefix}${name}:*"]])
    }
    ReplaceCode = {
      actions   = ["lambda:AddPermission", "lambda:CreateFunctionUrlConfig", "lambda:Update*Config*", "lambda:UpdateAlias", "lambda:UpdateFunctionCode"]
      resources = ["${local.function_arn_prefix}*"]
    }
    AnswerWaits = {
      actions   = ["states:SendTask*", "states:UpdateStateMachine"]
      resources = ["${local.machine_arn_prefix}:${var.name_prefix}-*"]
    }
    WriteRequests = {
      actions   = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PartiQL*", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources = [for name in ["approvals", "remediations"] : module.storage.tables[name].arn]
    }
    WritePolicy = {
      actions = ["s3:DeleteObject*", "s3:PutObject*"]
      resources = concat(
        [for prefix in ["approvals", "catalog", "later", "policy", "requests"] : "${module.storage.records_bucket.arn}/${prefix}/*"],
        ["${module.artifacts.arn}/*", "${module.storage.audit_bucket.arn}/*"],
      )
    }
    SignLinks = {
      actions   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret*"]
      resources = [module.secrets.arns["links"]]
    }
    ReceiveLinks = {
      actions   = ["sns:AddPermission", "sns:Set*Attributes", "sns:Subscribe"]
      resources = [module.approval.topic_arn]
    }
    TakeRoles = {
      actions   = ["iam:*RolePolic*", "iam:CreateRole", "iam:PassRole", "iam:UpdateAssumeRolePolicy", "sts:AssumeRole"]
      resources = concat(["${local.iam_arn_prefix}${var.role_path}${var.name_prefix}-*"], [for path in ["", "*/"] : "${local.iam_arn_prefix}/${path}AWSReservedSSO_*"])
    }
    BecomeApprovers = {
      actions = ["iam:UpdateAssumeRolePolicy"]
      resources = flatten([
        for role in keys(var.approvals.approver_principals) : startswith(role, "arn:") ? [] : ["${local.iam_arn_prefix}/${role}", "${local.iam_arn_prefix}/*/${role}"]
      ])
    }
    ChangeApi = {
      actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:UpdateRestApiPolicy"]
      resources = ["arn:${local.account.partition}:apigateway:${local.account.region}::/restapis/${module.approval.api.id}", "arn:${local.account.partition}:apigateway:${local.account.region}::/restapis/${module.approval.api.id}/*"]
    }
    ForgetAccessLog = {
      actions   = ["logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy"]
      resources = ["arn:${local.account.partition}:logs:${local.account.region}:${local.account.id}:log-group:${local.logs.prefix}/apigateway/${module.approval.api.name}*"]
    }
  }
}
