locals {
  key_arn = var.existing_key == null ? aws_kms_key.this[0].arn : var.existing_key.arn

  secrets = merge({
    port = {
      name        = "${var.name_prefix}/port"
      description = "Port's API: {client_id, client_secret}"
    }
    github = {
      name        = "${var.name_prefix}/github"
      description = "GitHub: {app_id, installation_id, private_key} or {token}"
    }
    links = {
      name        = "${var.name_prefix}/links"
      description = "Signs approval links: {key}"
    }
    }, var.kafka ? {
    kafka = {
      # https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-limitations.html
      name        = var.msk ? "AmazonMSK_${var.name_prefix}" : "${var.name_prefix}/kafka"
      description = "Kafka by SASL/SCRAM: {username, password}"
    }
    } : {}, var.mirror ? {
    mirror = {
      name        = "${var.name_prefix}/mirror"
      description = "Port's Kafka by SASL/SCRAM, for the mirror: {username, password}"
    }
    } : {}, var.versions.slack == 0 ? {} : {
    slack = {
      name        = "${var.name_prefix}/slack"
      description = "Slack's incoming webhook: {webhook_url}"
    }
  })
}

# A separate key, because MSK refuses secrets with the account's default key, and because its use
# can be granted per function. KMS rotates it every year; encrypted data stays readable.
resource "aws_kms_key" "this" {
  count = var.existing_key == null ? 1 : 0

  description             = "${var.name_prefix}: secrets, stored records, notifications and logs"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_protection ? 30 : 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  count = var.existing_key == null ? 1 : 0

  name          = "alias/${var.name_prefix}"
  target_key_id = aws_kms_key.this[0].key_id
}

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109: a key's policy applies to this key only, and delegates to the account's IAM
  # checkov:skip=CKV_AWS_111: a key's policy applies to this key only
  # checkov:skip=CKV_AWS_356: a key's policy applies to this key only
  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"]
    resources = ["*"] # in a key's policy: this key

    principals {
      type        = "AWS"
      identifiers = ["arn:${var.account.partition}:iam::${var.account.id}:root"]
    }
  }

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
  statement {
    sid       = "LogsOfThisStack"
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"] # in a key's policy: this key

    principals {
      type        = "Service"
      identifiers = ["logs.${var.account.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${var.account.partition}:logs:${var.account.region}:${var.account.id}:log-group:*${var.name_prefix}*"]
    }
  }

  # CloudWatch publishes to an encrypted topic only if the key allows it.
  # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
  statement {
    sid       = "AlarmsOfThisStack"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"] # in a key's policy: this key

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account.id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${var.account.partition}:cloudwatch:${var.account.region}:${var.account.id}:alarm:${var.name_prefix}-*"]
    }
  }
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57: Port, GitHub and Slack have no API that would renew these; docs/runbook.md says how they are changed
  for_each = local.secrets

  name                    = each.value.name
  description             = each.value.description
  kms_key_id              = local.key_arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

# Write-only: the values pass through Terraform and are stored only in Secrets Manager. The argument
# is required beside its version, so "" means "not given": it is ignored unless the version rises,
# and Secrets Manager then refuses it.

resource "aws_secretsmanager_secret_version" "port" {
  count = var.versions.port > 0 ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["port"].id
  secret_string_wo         = var.port_credentials == null ? "" : jsonencode(var.port_credentials)
  secret_string_wo_version = var.versions.port
}

resource "aws_secretsmanager_secret_version" "github" {
  count = var.versions.github > 0 ? 1 : 0

  secret_id = aws_secretsmanager_secret.this["github"].id
  secret_string_wo = var.github_credentials == null ? "" : jsonencode({
    for name, value in var.github_credentials : name => value if value != null
  })
  secret_string_wo_version = var.versions.github
}

resource "aws_secretsmanager_secret_version" "kafka" {
  count = var.kafka && var.versions.kafka > 0 ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["kafka"].id
  secret_string_wo         = var.kafka_credentials == null ? "" : jsonencode(var.kafka_credentials)
  secret_string_wo_version = var.versions.kafka
}

resource "aws_secretsmanager_secret_version" "mirror" {
  count = var.mirror && var.versions.mirror > 0 ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["mirror"].id
  secret_string_wo         = var.mirror_credentials == null ? "" : jsonencode(var.mirror_credentials)
  secret_string_wo_version = var.versions.mirror
}

# This value has 244 bits from the system's random source. It is generated for every plan and
# discarded unless the version rises. An ephemeral password is not used, because Terraform 1.11
# cannot mock one in tests.
resource "aws_secretsmanager_secret_version" "links" {
  count = var.versions.links > 0 ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["links"].id
  secret_string_wo         = jsonencode({ key = "${uuid()}-${uuid()}" })
  secret_string_wo_version = var.versions.links
}

resource "aws_secretsmanager_secret_version" "slack" {
  count = var.versions.slack > 0 ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["slack"].id
  secret_string_wo         = var.slack_webhook_url == null ? "" : jsonencode({ webhook_url = var.slack_webhook_url })
  secret_string_wo_version = var.versions.slack
}
