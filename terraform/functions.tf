# A function is one entry here, or an action of the catalog. The entry has its purpose, its records,
# if any, and its permissions.
locals {
  functions = merge(local.action_functions, {
    approval = {
      description = "Requests approvals, counts decisions and carries them out"
      topic       = "runs"
      filters     = [{ resourceType = ["run"], action = [for name in ["decide_approval", "run_ended"] : "${var.identifier_prefix}${name}"] }]
      batch_size  = 1
      grants      = concat(["secrets", "ledger", "deliver_later", "records_key", "policy", "catalog", "requests", "approvals", "notify", "answer", "audit"], local.large_messages)
    }
    health_checker = {
      description = "Starts subscribers of entity changes, for example the check of an unhealthy service"
      topic       = var.changes.source == "change_log" ? "change_log" : "runs"
      filters     = local.change_filters
      batch_size  = 100 # changes of one entity that come together are one
      grants      = concat(["port", "remediations", "remediate", "subscriptions"], local.by_webhook ? ["records_key", "large_messages"] : [])
    }
    # No topic: called by its state machine.
    remediation = {
      description = "Runs the steps that check and repair a service"
      grants      = ["secrets", "ledger", "records_key", "policy", "catalog", "remediations", "remediate", "alerts", "slack"]
    }
    # Without permissions and secrets, because it connects to untrusted health URLs.
    probe_health = {
      description = "Probes the health URL of a service"
      grants      = []
    }
    # No topic: API Gateway calls it for a GitHub workflow.
    report_pull_request = {
      description = "Reports a merged or closed pull request to Port"
      grants      = ["secrets", "report", "policy", "catalog", "decrypt_records"]
    }
    # No topic: called by EventBridge.
    sweep_runs = {
      description = "Ends or finishes abandoned runs, locks and stopped executions"
      grants      = concat(["secrets", "ledger", "withdraw", "answer", "audit", "remediations", "remediate", "policy", "catalog", "decrypt_records", "sweep"], local.large_messages)
    }
    },
    # No topic: called by API Gateway, with what Port signed.
    {
      for name in ["receive_webhook"] : name => {
        description = "Puts what Port sends by webhook into the queue of the function that it is for"
        grants      = ["port", "queue", "records_key"]
      } if local.by_webhook
    }
  )

  large_messages = [for grant in ["large_messages"] : grant if local.by_webhook]

  # Port does not publish the wrapper of a workflow's message, so the function searches it for the
  # action.
  workflow_filters = [for prefix in ["wfnr_"] : { context = { runId = [{ prefix = prefix }] } } if var.workflows]

  # One function for each action, all from the same archive and otherwise equal.
  action_functions = {
    for name, action in local.actions : name => {
      # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
      description = substr(action.description, 0, 256)
      topic       = "runs"
      filters     = concat([{ resourceType = ["run"], action = ["${var.identifier_prefix}${name}"] }], local.workflow_filters)
      batch_size  = 1
      grants      = concat(["secrets", "ledger", "deliver_later", "records_key", "policy", "catalog", "ask"], local.large_messages)
    }
  }
  # Function → the folder in `functions/` that its archive is built from.
  folders = { for name, _ in local.functions : name => contains(keys(local.actions), name) ? "action" : name }

  # Functions that read a topic.
  consumers = { for name, function in local.functions : name => function if can(function.topic) }

  # Other services that may call a function's alias.
  callers = {
    receive_webhook = {
      api = { principal = "apigateway.amazonaws.com", source_arn = "${module.reports.stage_arn}/POST/port/webhook" }
    }
    approval = { api = { principal = "apigateway.amazonaws.com", source_arn = "${module.approval.api_stage_arn}/*" } }
    report_pull_request = {
      api = { principal = "apigateway.amazonaws.com", source_arn = "${module.reports.stage_arn}/POST/reports" }
    }
    sweep_runs = {
      executions   = { principal = "events.amazonaws.com", source_arn = module.approval.stopped_rule_arn }
      remediations = { principal = "events.amazonaws.com", source_arn = module.remediation.stopped_rule_arn }
      schedule     = { principal = "events.amazonaws.com", source_arn = aws_cloudwatch_event_rule.sweep.arn }
    }
  }

  # Permissions of the functions, by concern. Each is limited to the resources of this stack.
  grants = {
    secrets = [
      {
        sid        = "ReadSecrets"
        actions    = ["secretsmanager:GetSecretValue"]
        resources  = [module.secrets.arns["port"], module.secrets.arns["github"]]
        conditions = []
      },
      {
        sid        = "DecryptSecrets"
        actions    = ["kms:Decrypt"]
        resources  = [module.secrets.key_arn]
        conditions = [local.only_via.secretsmanager]
      },
    ]
    port = [
      {
        sid        = "ReadPortSecret"
        actions    = ["secretsmanager:GetSecretValue"]
        resources  = [module.secrets.arns["port"]]
        conditions = []
      },
      {
        sid        = "DecryptPortSecret"
        actions    = ["kms:Decrypt"]
        resources  = [module.secrets.key_arn]
        conditions = [local.only_via.secretsmanager]
      },
    ]
    ledger = [
      {
        sid        = "KeepLedger"
        actions    = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources  = [for key in ["runs", "locks", "idempotency"] : module.storage.tables[key].arn]
        conditions = []
      },
    ]
    report = [
      {
        sid        = "ReadRuns"
        actions    = ["dynamodb:GetItem"]
        resources  = [module.storage.tables["runs"].arn]
        conditions = []
      },
      {
        # Number of requests of each repository.
        sid        = "CountReports"
        actions    = ["dynamodb:UpdateItem"]
        resources  = [module.storage.tables["idempotency"].arn]
        conditions = []
      },
    ]
    deliver_later = [
      {
        sid        = "ReadWaitingRecords"
        actions    = ["s3:GetObject"]
        resources  = ["${module.storage.records_bucket.arn}/later/*"]
        conditions = []
      },
      {
        # Also those of doorbells that failed, which no event source keeps.
        sid        = "KeepWaitingRecords"
        actions    = ["s3:PutObject"]
        resources  = [for prefix in ["later", "held"] : "${module.storage.records_bucket.arn}/${prefix}/*"]
        conditions = []
      },
      {
        sid        = "DeliverLater"
        actions    = ["states:StartExecution"]
        resources  = [module.deliver_later.arn]
        conditions = []
      },
    ]
    # Messages that are too large for SQS are in the bucket.
    large_messages = [
      {
        sid        = "ReadLargeMessages"
        actions    = ["s3:GetObject"]
        resources  = ["${module.storage.records_bucket.arn}/webhook/*"]
        conditions = []
      },
    ]
    queue = [
      {
        sid        = "QueueMessages"
        actions    = ["sqs:SendMessage"]
        resources  = [for name in values(local.queue_names) : "${local.queue_arn_prefix}:${name}"]
        conditions = []
      },
      {
        sid        = "FindQueues"
        actions    = ["s3:GetObject"]
        resources  = ["${module.storage.records_bucket.arn}/policy/queues.json"]
        conditions = []
      },
      {
        sid        = "KeepLargeMessages"
        actions    = ["s3:PutObject"]
        resources  = ["${module.storage.records_bucket.arn}/webhook/*"]
        conditions = []
      },
    ]
    # Parts of the records bucket that a function may read and write.
    records_key = [
      {
        sid        = "UseKeyOfRecords"
        actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources  = [local.key_arns.records]
        conditions = [local.only_via.s3]
      },
    ]
    policy = [
      {
        sid        = "ReadPolicy"
        actions    = ["s3:GetObject"]
        resources  = ["${module.storage.records_bucket.arn}/policy/*"]
        conditions = []
      },
    ]
    catalog         = [local.read_catalog]
    decrypt_records = [local.decrypt_records]
    ask = [
      {
        sid        = "StoreRequest"
        actions    = ["s3:PutObject"]
        resources  = ["${module.storage.records_bucket.arn}/requests/*"]
        conditions = []
      },
      {
        sid        = "StartApproval"
        actions    = ["states:StartExecution"]
        resources  = [module.approval.machine_arn]
        conditions = []
      },
    ]
    approvals = [
      {
        sid        = "KeepApprovals"
        actions    = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources  = [module.storage.tables["approvals"].arn]
        conditions = []
      },
      {
        sid        = "KeepPreviews"
        actions    = ["s3:GetObject", "s3:PutObject"]
        resources  = ["${module.storage.records_bucket.arn}/approvals/*"]
        conditions = []
      },
    ]
    requests = [
      {
        sid        = "ReadRequest"
        actions    = ["s3:GetObject"]
        resources  = ["${module.storage.records_bucket.arn}/requests/*"]
        conditions = []
      },
    ]
    remediations = [
      {
        sid        = "KeepRemediations"
        actions    = ["dynamodb:GetItem", "dynamodb:PutItem"]
        resources  = [module.storage.tables["remediations"].arn]
        conditions = []
      },
    ]
    remediate = [
      {
        sid        = "StartRemediation"
        actions    = ["states:StartExecution"]
        resources  = [local.remediation_machine_arn]
        conditions = []
      },
    ]
    subscriptions = [
      for machine in sort(distinct(var.subscriptions[*].state_machine)) : {
        sid        = "Start${join("", [for part in regexall("[A-Za-z0-9]+", machine) : title(part)])}"
        actions    = ["states:StartExecution"]
        resources  = ["${local.machine_arn_prefix}:${machine}"]
        conditions = []
      }
    ]
    alerts = concat([
      {
        sid        = "TellOfIllServices"
        actions    = ["sns:Publish"]
        resources  = [module.remediation.topic_arn]
        conditions = []
      },
      ], [for arn in local.key_arns.alerts : {
        sid        = "UseKeyOfAlerts"
        actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources  = [arn]
        conditions = [local.only_via.sns]
      }
    ])
    slack = [
      for arn in compact([lookup(module.secrets.arns, "slack", "")]) : {
        sid        = "ReadSlackWebhook"
        actions    = ["secretsmanager:GetSecretValue"]
        resources  = [arn]
        conditions = []
      }
    ]
    # Like `approvals`, without the permissions that only a new request needs.
    withdraw = [
      {
        sid        = "WithdrawApprovals"
        actions    = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        resources  = [module.storage.tables["approvals"].arn]
        conditions = []
      },
    ]
    answer = [
      {
        # IAM checks the state machine that a token belongs to.
        sid        = "AnswerWaitingMachine"
        actions    = ["states:SendTaskSuccess"]
        resources  = [module.approval.machine_arn, local.remediation_machine_arn]
        conditions = []
      },
    ]
    notify = concat([
      {
        sid        = "SignLinks"
        actions    = ["secretsmanager:GetSecretValue"]
        resources  = compact([module.secrets.arns["links"], lookup(module.secrets.arns, "slack", "")])
        conditions = []
      },
      {
        sid        = "TellApprovers"
        actions    = ["sns:Publish"]
        resources  = [module.approval.topic_arn]
        conditions = []
      },
      ], [for arn in local.key_arns.approvals : {
        sid        = "UseKeyOfNotices"
        actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources  = [arn]
        conditions = [local.only_via.sns]
      }
    ])
    # To find abandoned runs, and to delete the records of runs that it ends.
    sweep = concat([
      {
        # To invoke the function of a run that was never received.
        sid        = "RingForRuns"
        actions    = ["lambda:InvokeFunction"]
        resources  = distinct(values(local.own_actions))
        conditions = []
      },
      {
        sid        = "FindOpenRuns"
        actions    = ["dynamodb:Query"]
        resources  = ["${module.storage.tables["runs"].arn}/index/open_since"]
        conditions = []
      },
      {
        sid        = "FindServicesAtWork"
        actions    = ["dynamodb:Query"]
        resources  = ["${module.storage.tables["remediations"].arn}/index/at_work"]
        conditions = []
      },
      {
        sid        = "FindLocks"
        actions    = ["dynamodb:Scan"]
        resources  = [module.storage.tables["locks"].arn]
        conditions = []
      },
      {
        sid        = "LookAtExecutions"
        actions    = ["states:DescribeExecution"]
        resources  = [for arn in [module.approval.machine_arn, local.remediation_machine_arn] : "${replace(arn, ":stateMachine:", ":execution:")}:*"]
        conditions = []
      },
      {
        sid        = "ForgetRecords"
        actions    = ["s3:DeleteObject"]
        resources  = [for prefix in ["later", "requests"] : "${module.storage.records_bucket.arn}/${prefix}/*"]
        conditions = []
      },
      {
        # Also for reading: without it S3 answers 403, not 404, for a record that was just archived
        # (ADR 18).
        sid        = "FindFailedRecords"
        actions    = ["s3:ListBucket"]
        resources  = [module.storage.records_bucket.arn]
        conditions = [{ test = "StringLike", variable = "s3:prefix", values = [for prefix in module.storage.failed_prefixes : "${prefix}*"] }]
      },
      {
        sid        = "ReadFailedRecords"
        actions    = ["s3:GetObject"]
        resources  = [for prefix in module.storage.failed_prefixes : "${module.storage.records_bucket.arn}/${prefix}*"]
        conditions = []
      },
      ], local.by_webhook ? [
      {
        # A dead letter becomes a failed record.
        sid        = "EmptyDeadLetterQueues"
        actions    = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
        resources  = [for name, queue in local.queue_names : "${local.queue_arn_prefix}:${local.function_names[name]}-failed${endswith(queue, ".fifo") ? ".fifo" : ""}"]
        conditions = []
      },
      {
        sid        = "KeepFailedRecords"
        actions    = ["s3:PutObject"]
        resources  = ["${module.storage.records_bucket.arn}/held/*"]
        conditions = []
      },
      {
        sid        = "EncryptFailedRecords"
        actions    = ["kms:GenerateDataKey"]
        resources  = [local.key_arns.records]
        conditions = [local.only_via.s3]
      },
    ] : [])
    # Records of decisions may only be added.
    audit = [
      {
        sid        = "RecordDecisions"
        actions    = ["s3:PutObject"]
        resources  = ["${module.storage.audit_bucket.arn}/decisions/*"]
        conditions = []
      },
      {
        sid        = "EncryptDecisions"
        actions    = ["kms:GenerateDataKey"]
        resources  = [local.key_arns.audit]
        conditions = [local.only_via.s3]
      },
    ]
  }

  # The key encrypts secrets, records and notifications: each permission applies to one of the
  # services only.
  only_via = {
    for service in ["s3", "secretsmanager", "sns"] : service => {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["${service}.${local.account.region}.amazonaws.com"]
    }
  }

  environment = {
    PORT_BASE_URL           = var.port.base_url
    PORT_APP_URL            = var.port.app_url
    PORT_SECRET_ID          = module.secrets.arns["port"]
    PORT_SIGNATURE          = var.port.signature
    WORKFLOWS               = tostring(var.workflows)
    GITHUB_API_URL          = var.github.api_url
    GITHUB_SECRET_ID        = module.secrets.arns["github"]
    RUNS_TABLE              = module.storage.tables["runs"].name
    LOCKS_TABLE             = module.storage.tables["locks"].name
    IDEMPOTENCY_TABLE       = module.storage.tables["idempotency"].name
    RECORDS_BUCKET          = module.storage.records_bucket.name
    DELIVER_LATER_ARN       = module.deliver_later.arn
    PARTIAL_BATCH_RESPONSE  = tostring(terraform_data.poller_mode.triggers_replace == "provisioned")
    APPROVALS_TABLE         = module.storage.tables["approvals"].name
    APPROVAL_MACHINE_ARN    = module.approval.machine_arn
    POLICY_KEY              = aws_s3_object.policy.key
    AUDIT_BUCKET            = module.storage.audit_bucket.name
    APPROVALS_TOPIC_ARN     = module.approval.topic_arn
    LINKS_SECRET_ID         = module.secrets.arns["links"]
    SLACK_SECRET_ID         = lookup(module.secrets.arns, "slack", "")
    LINKS_BASE_URL          = module.approval.base_url
    REMEDIATIONS_TABLE      = module.storage.tables["remediations"].name
    REMEDIATION_MACHINE_ARN = local.remediation_machine_arn
    REMEDIATION_POLICY_KEY  = aws_s3_object.remediation_policy.key
    SUBSCRIPTIONS           = jsonencode(var.subscriptions)
    ALERTS_TOPIC_ARN        = module.remediation.topic_arn
    SWEEP_LIMITS            = jsonencode(local.sweep_limits)
    HEALTH_PROBE            = jsonencode(local.probe_limits)
    REPORTS_AUDIENCE        = module.reports.url
    REPORTS_PER_MINUTE      = var.reports.per_minute
    GITHUB_OIDC_ISSUER      = local.oidc_issuer
    HEALTH_BLUEPRINTS       = jsonencode(local.health_blueprints)
    IDENTIFIER_PREFIX       = var.identifier_prefix
    CATALOG_BUCKET          = aws_s3_object.catalog.bucket
    CATALOG_KEY             = aws_s3_object.catalog.key
    # Through the check: no function changes before it, and each knows the checked version.
    CATALOG_VERSION = jsondecode(aws_lambda_invocation.check_catalog.input).catalog_version
  }

  # Each function gets the variables of its settings model in the layer; scripts/settings writes the
  # file. Lists that grow with an installation are in the policy document, because Lambda allows 4
  # KB of environment.
  settings = jsondecode(file("${path.module}/settings.json"))
  function_environments = {
    for name, _ in local.functions : name => {
      for variable in local.settings[local.folders[name]] : variable => merge(local.environment, { ACTION = name })[variable]
    }
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name          = each.key
  folder        = local.folders[each.key]
  function_name = local.function_names[each.key]
  description   = each.value.description
  artifact = {
    bucket = aws_s3_object.artifact[local.folders[each.key]].bucket
    key    = aws_s3_object.artifact[local.folders[each.key]].key
  }
  layer_arn            = aws_lambda_layer_version.slipway.arn
  settings             = var.functions
  reserved_concurrency = lookup(var.functions.reserved_concurrency, each.key, null)
  key_arn              = module.secrets.key_arn
  logs                 = local.logs
  vpc                  = local.vpc_of_functions[each.key]
  environment          = local.function_environments[each.key]
  metrics_namespace    = local.metrics_namespace
  statements           = flatten([for grant in each.value.grants : local.grants[grant]])
  callers              = lookup(local.callers, each.key, {})
  roles                = local.roles
}
