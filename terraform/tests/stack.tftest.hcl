# What the modules know of each other only once they are made is known in these plans, too.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { repositories = { services = { name = "acme/services" } }, team_reviewers = { platform = ["octocat"] } }
}

run "two_variables_are_enough_and_rights_are_minimal" {
  command = plan

  assert {
    condition     = output.kafka.mode == "external" && alltrue([for server in output.kafka.bootstrap_servers : endswith(server, ".eu-west-1.amazonaws.com:9196")])
    error_message = "Port's own brokers are the source."
  }

  assert {
    condition     = output.kafka.starting_position == "LATEST"
    error_message = "Runs from before the installation are not read."
  }

  assert {
    # The most that a service control policy may have.
    # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
    condition     = length(output.operators_deny_policy) <= 5120 && alltrue([for statement in jsondecode(output.operators_deny_policy).Statement : statement.Effect == "Deny" && !contains(statement.Resource, "*")])
    error_message = "The policy for operators only denies, names Slipway's resources, and is within the size limits."
  }

  assert {
    condition     = output.topics == { runs = "org_test.runs" }
    error_message = "The topic is the organisation's."
  }

  assert {
    condition = {
      for name, function in output.functions : name => function.consumer_group_id
      } == merge({ for action, _ in local.actions : action => "org_test.slipway-${action}" }, {
        approval            = "org_test.slipway-approval"
        health_checker      = "org_test.slipway-health_checker"
        remediation         = null
        probe_health        = null
        report_pull_request = null
        sweep_runs          = null
    })
    error_message = "Each function with a topic has a consumer group that Port's brokers accept."
  }

  assert {
    condition     = toset(keys(module.kafka_trigger)) == toset(concat(keys(local.actions), ["approval", "health_checker"]))
    error_message = "Functions that machines call do not read a topic."
  }

  assert {
    condition = alltrue([
      for action, _ in local.actions : local.functions[action].filters == [{ resourceType = ["run"], action = [action] }]
    ])
    error_message = "Each action has a function that receives only its runs."
  }

  assert {
    condition     = local.functions["approval"].filters == [{ resourceType = ["run"], action = ["decide_approval", "run_ended"] }]
    error_message = "`approval` receives decisions and notifications of ended runs."
  }

  assert {
    condition = (
      aws_lambda_layer_version.slipway.s3_key == "layer-arm64/content-of-layer-arm64.zip" &&
      aws_lambda_layer_version.slipway.compatible_architectures == toset(["arm64"]) &&
      aws_lambda_layer_version.slipway.filename == null
    )
    error_message = "The layer matches the architecture and comes from S3."
  }

  assert {
    condition = {
      for name, object in aws_s3_object.artifact : name => object.key
      } == merge(
      { for name in ["action", "approval", "check_catalog", "health_checker", "probe_health", "remediation", "report_pull_request", "sweep_runs"] : name => "${name}/content-of-${replace(name, "_", "-")}.zip" },
      { layer = "layer-arm64/content-of-layer-arm64.zip" }
    )
    error_message = "An archive's key changes only with its content."
  }

  assert {
    condition = alltrue([
      for object in concat(values(aws_s3_object.artifact), [aws_s3_object.catalog, aws_s3_object.policy, aws_s3_object.remediation_policy, aws_s3_object.consumers, aws_s3_object.queues]) :
      length(object.override_provider[0].default_tags[0].tags) == 0
    ])
    error_message = "Objects have no tags: S3 allows ten, and an installation may have more."
  }

  assert {
    condition     = var.approvals.audit.mode == "GOVERNANCE" && !var.approvals.api.manage_account && length(var.functions.reserved_concurrency) == 0
    error_message = "By default records can be erased, the account's role is unchanged, and concurrency is not reserved."
  }

  assert {
    condition     = alltrue([for object in aws_s3_object.artifact : object.bucket == module.artifacts.name])
    error_message = "Archives have their own bucket."
  }

  assert {
    condition     = length(module.network) == 0 && length(module.kafka) == 0 && length(module.kafka_mirror) == 0 && length(aws_msk_single_scram_secret_association.kafka) == 0
    error_message = "Network, cluster and mirror are not created."
  }

  assert {
    condition = jsonencode(jsondecode(aws_s3_object.policy.content).default.approval) == jsonencode({
      emails                = []
      teams                 = []
      count                 = 1
      expires_after_seconds = 86400
      remind_before_seconds = 7200
    }) && length(local.approver_emails) == 0
    error_message = "Without approvers, changes that need an approval are refused at their start, without notifications."
  }

  assert {
    # tests/unit/health/test_policy.py has the functions read the same file.
    condition     = jsonencode(jsondecode(aws_s3_object.remediation_policy.content)) == jsonencode(jsondecode(file("../tests/fixtures/terraform/remediation_policy.json")))
    error_message = "The document is the one that the functions are tested with."
  }

  assert {
    condition     = aws_s3_object.remediation_policy.key == local.environment.REMEDIATION_POLICY_KEY
    error_message = "The function receives the key of the document."
  }

  assert {
    condition     = local.environment.SLACK_SECRET_ID == "" && local.environment.LINKS_SECRET_ID != ""
    error_message = "Without Slack, the functions receive no secret for it."
  }

  assert {
    condition = local.callers["approval"].api.source_arn == "arn:aws:execute-api:eu-west-1:111122223333:mock/live/*" && {
      for name, caller in local.callers["sweep_runs"] : name => "${caller.principal} ${caller.source_arn}"
    } == { for name in ["executions", "remediations", "schedule"] : name => "events.amazonaws.com arn:aws:events:eu-west-1:111122223333:rule/mock" }
    error_message = "The API may call `approval`, and EventBridge's rules may call `sweep_runs`."
  }

  assert {
    condition = (
      local.callers["report_pull_request"].api.source_arn == "arn:aws:execute-api:eu-west-1:111122223333:mock/live/POST/reports" &&
      endswith(local.environment.REPORTS_AUDIENCE, "/reports") && output.reports_url == local.environment.REPORTS_AUDIENCE
    )
    error_message = "Reports have an API with one route, whose address is the audience of tokens."
  }

  assert {
    condition     = local.environment.GITHUB_OIDC_ISSUER == "https://token.actions.githubusercontent.com"
    error_message = "The issuer is github.com's."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.sweep.schedule_expression == "rate(5 minutes)" && aws_cloudwatch_event_target.sweep.arn == local.function_alias_arns["sweep_runs"]
    error_message = "The sweep's alias is called every five minutes."
  }

  assert {
    condition = jsondecode(local.environment.SWEEP_LIMITS) == {
      never_received = 900, report = 1800, pull_request = 2592000, reminder = 259200, held = 259200
    }
    error_message = "The times are 15 and 30 minutes, 30 days with a reminder 3 days before, and 72 hours."
  }

  assert {
    condition = jsondecode(aws_s3_object.policy.content).own_actions == merge(
      { decide_approval = local.function_alias_arns["approval"] },
      { for action, _ in local.actions : action => local.function_alias_arns[action] },
    )
    error_message = "Only actions of Slipway are swept, once their functions read."
  }

  assert {
    condition     = toset(jsondecode(aws_s3_object.policy.content).own_automations) == toset(concat([for action, _ in local.actions : "${action}_ended"], [for blueprint in local.health_blueprints : "${blueprint}_health_changes"]))
    error_message = "Only old runs of Slipway's automations are ended."
  }

  assert {
    condition     = toset(one([for statement in local.grants["sweep"] : statement.resources if statement.sid == "RingForRuns"])) == toset(values(local.own_actions))
    error_message = "The sweep may invoke only the functions of actions."
  }

  assert {
    condition     = data.aws_iam_policy_document.sweep_mappings.statement[0].actions == toset(["lambda:GetEventSourceMapping"]) && length(data.aws_iam_policy_document.sweep_mappings.statement) == 1
    error_message = "The sweep may read event source mappings, but not pause them."
  }

  assert {
    condition     = contains(module.observability.alarms, "slipway-sweep_runs-silent")
    error_message = "An alarm begins when the sweep is not called."
  }

  assert {
    condition = alltrue([
      for action, _ in local.actions : {
        for statement in flatten([for grant in local.functions[action].grants : local.grants[grant]]) : statement.sid => statement.actions
        } == {
        ReadSecrets        = ["secretsmanager:GetSecretValue"]
        DecryptSecrets     = ["kms:Decrypt"]
        KeepLedger         = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        ReadWaitingRecords = ["s3:GetObject"]
        KeepWaitingRecords = ["s3:PutObject"]
        DeliverLater       = ["states:StartExecution"]
        UseKeyOfRecords    = ["kms:Decrypt", "kms:GenerateDataKey"]
        ReadPolicy         = ["s3:GetObject"]
        ReadCatalog        = ["s3:GetObjectVersion"]
        StoreRequest       = ["s3:PutObject"]
        StartApproval      = ["states:StartExecution"]
      }
    ])
    error_message = "`health_checker` has exactly these statements."
  }

  assert {
    condition = {
      for statement in flatten([for grant in local.functions["report_pull_request"].grants : local.grants[grant]]) : statement.sid => statement.actions
      } == {
      ReadSecrets    = ["secretsmanager:GetSecretValue"]
      DecryptSecrets = ["kms:Decrypt"]
      ReadRuns       = ["dynamodb:GetItem"]
      CountReports   = ["dynamodb:UpdateItem"]
      ReadPolicy     = ["s3:GetObject"]
      ReadCatalog    = ["s3:GetObjectVersion"]
      DecryptRecords = ["kms:Decrypt"]
    }
    error_message = "`report_pull_request` has exactly these statements, without writes to runs."
  }

  assert {
    condition = {
      for statement in flatten([for grant in local.functions["approval"].grants : local.grants[grant]]) : statement.sid => statement.actions
      } == {
      ReadSecrets          = ["secretsmanager:GetSecretValue"]
      DecryptSecrets       = ["kms:Decrypt"]
      KeepLedger           = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      ReadWaitingRecords   = ["s3:GetObject"]
      KeepWaitingRecords   = ["s3:PutObject"]
      DeliverLater         = ["states:StartExecution"]
      UseKeyOfRecords      = ["kms:Decrypt", "kms:GenerateDataKey"]
      ReadPolicy           = ["s3:GetObject"]
      ReadCatalog          = ["s3:GetObjectVersion"]
      KeepApprovals        = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      ReadRequest          = ["s3:GetObject"]
      KeepPreviews         = ["s3:GetObject", "s3:PutObject"]
      SignLinks            = ["secretsmanager:GetSecretValue"]
      TellApprovers        = ["sns:Publish"]
      UseKeyOfNotices      = ["kms:Decrypt", "kms:GenerateDataKey"]
      AnswerWaitingMachine = ["states:SendTaskSuccess"]
      RecordDecisions      = ["s3:PutObject"]
      EncryptDecisions     = ["kms:GenerateDataKey"]
    }
    error_message = "`approval` has exactly these statements."
  }

  assert {
    condition = {
      for statement in flatten([for grant in local.functions["sweep_runs"].grants : local.grants[grant]]) : statement.sid => statement.actions
      } == {
      ReadSecrets          = ["secretsmanager:GetSecretValue"]
      DecryptSecrets       = ["kms:Decrypt"]
      KeepLedger           = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      WithdrawApprovals    = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      AnswerWaitingMachine = ["states:SendTaskSuccess"]
      RecordDecisions      = ["s3:PutObject"]
      EncryptDecisions     = ["kms:GenerateDataKey"]
      KeepRemediations     = ["dynamodb:GetItem", "dynamodb:PutItem"]
      StartRemediation     = ["states:StartExecution"]
      ReadPolicy           = ["s3:GetObject"]
      ReadCatalog          = ["s3:GetObjectVersion"]
      DecryptRecords       = ["kms:Decrypt"]
      RingForRuns          = ["lambda:InvokeFunction"]
      FindOpenRuns         = ["dynamodb:Query"]
      FindServicesAtWork   = ["dynamodb:Query"]
      FindLocks            = ["dynamodb:Scan"]
      LookAtExecutions     = ["states:DescribeExecution"]
      ForgetRecords        = ["s3:DeleteObject"]
      FindFailedRecords    = ["s3:ListBucket"]
      ReadFailedRecords    = ["s3:GetObject"]
    }
    error_message = "`sweep_runs` has exactly these statements."
  }

  assert {
    condition = {
      for statement in flatten([for grant in local.functions["remediation"].grants : local.grants[grant]]) : statement.sid => statement.actions
      } == {
      ReadSecrets       = ["secretsmanager:GetSecretValue"]
      DecryptSecrets    = ["kms:Decrypt"]
      KeepLedger        = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      UseKeyOfRecords   = ["kms:Decrypt", "kms:GenerateDataKey"]
      ReadPolicy        = ["s3:GetObject"]
      ReadCatalog       = ["s3:GetObjectVersion"]
      KeepRemediations  = ["dynamodb:GetItem", "dynamodb:PutItem"]
      StartRemediation  = ["states:StartExecution"]
      TellOfIllServices = ["sns:Publish"]
      UseKeyOfAlerts    = ["kms:Decrypt", "kms:GenerateDataKey"]
    }
    error_message = "`remediation` has exactly these statements, without decisions on requests."
  }

  assert {
    condition     = length(local.functions["probe_health"].grants) == 0 && keys(local.function_environments["probe_health"]) == ["HEALTH_PROBE"]
    error_message = "`probe_health`, which opens untrusted URLs, has no rights and no other settings."
  }

  assert {
    condition     = local.grants.deliver_later[0].resources == ["arn:aws:s3:::mock/later/*"]
    error_message = "The function cannot access failed records."
  }

  assert {
    condition = alltrue([
      for name, function in local.functions : name == "approval" || name == "sweep_runs" || length(setintersection(function.grants, ["approvals", "withdraw", "answer", "audit", "notify"])) == 0
    ])
    error_message = "Functions that request changes can neither read nor decide approval requests."
  }

  assert {
    condition = [for statement in flatten(values(local.grants)) : [statement.sid, statement.actions] if anytrue([for resource in statement.resources : strcontains(resource, "/decisions/")])] == [
      ["RecordDecisions", ["s3:PutObject"]]
    ]
    error_message = "Functions may add records of decisions, but not read, replace or delete them."
  }

  assert {
    condition = !anytrue([
      for action in flatten([for name, statements in local.grants : statements[*].actions if name != "sweep"]) :
      startswith(action, "s3:Delete") || action == "dynamodb:Scan" || action == "dynamodb:Query"
    ])
    error_message = "Only the sweep may delete objects, and read more than single items."
  }

  assert {
    condition     = !anytrue([for action in flatten([for statement in flatten(values(local.grants)) : statement.actions]) : strcontains(action, "Bypass") || action == "s3:DeleteObjectVersion"])
    error_message = "No function may bypass a retention, or delete versions."
  }

  assert {
    condition     = [for name, function in local.functions : name if contains(function.grants, "sweep")] == ["sweep_runs"]
    error_message = "Only the sweep may search for open runs."
  }

  assert {
    condition = { for statement in local.grants.sweep : statement.sid => statement.resources } == {
      RingForRuns        = distinct(values(local.own_actions))
      FindOpenRuns       = ["${module.storage.tables["runs"].arn}/index/open_since"]
      FindServicesAtWork = ["${module.storage.tables["remediations"].arn}/index/at_work"]
      FindLocks          = [module.storage.tables["locks"].arn]
      LookAtExecutions   = [for machine in ["mock", "slipway-remediation"] : "arn:aws:states:eu-west-1:111122223333:execution:${machine}:*"]
      ForgetRecords      = ["arn:aws:s3:::mock/later/*", "arn:aws:s3:::mock/requests/*"]
      FindFailedRecords  = ["arn:aws:s3:::mock"]
      ReadFailedRecords  = ["arn:aws:s3:::mock/aws/lambda/*", "arn:aws:s3:::mock/held/*"]
    }
    error_message = "The sweep may read one index, locks, failed records and this stack's executions, and delete only waiting records."
  }

  assert {
    condition = flatten([
      for statement in local.grants.sweep : [for condition in statement.conditions : [condition.test, condition.values]] if statement.sid == "FindFailedRecords"
    ]) == ["StringLike", "aws/lambda/*", "held/*"]
    error_message = "The sweep may list what it reads: without that right, S3 answers 403 for a missing record."
  }

  assert {
    condition     = local.grants.ledger[0].resources == [for key in ["runs", "locks", "idempotency"] : module.storage.tables[key].arn]
    error_message = "Functions that write the ledger may not write requests."
  }

  assert {
    condition = alltrue([
      for statement in flatten(values(local.grants)) : length(statement.conditions) == 1 if anytrue([for action in statement.actions : startswith(action, "kms:")])
    ])
    error_message = "The key may be used through one service only."
  }

  assert {
    condition     = alltrue([for action, _ in local.actions : local.function_alias_arns[action] == "arn:aws:lambda:eu-west-1:111122223333:function:slipway-${action}:live"])
    error_message = "deliver_later may call the alias."
  }

  assert {
    condition     = jsondecode(aws_s3_object.policy.content).team_reviewers == { platform = ["octocat"] } && local.environment.PORT_SIGNATURE == "if_present"
    error_message = "Reviewers are in the policy document, not in the environment."
  }

  assert {
    condition     = toset(flatten(values(local.settings))) == toset(concat(keys(local.environment), ["ACTION"]))
    error_message = "Each variable is read by a function."
  }

  assert {
    condition     = toset(keys(local.settings)) == toset(concat(["action"], local.reserved_names))
    error_message = "Each function has settings, which scripts/settings writes."
  }

  assert {
    condition     = toset(local.reserved_names) == setunion(setsubtract(keys(local.functions), keys(local.actions)), ["check_catalog", "receive_webhook"])
    error_message = "An action cannot have the name of one of Slipway's own functions."
  }

  assert {
    condition     = toset([for name in keys(local.actions) : local.function_environments[name].ACTION]) == toset(keys(local.actions))
    error_message = "Each function of an action has the action's name."
  }

  assert {
    condition     = local.metrics_namespace == "Slipway/slipway"
    error_message = "Metrics have this installation's namespace."
  }

  assert {
    condition     = !anytrue([for name, _ in local.environment : strcontains(name, "TOKEN") || endswith(name, "CLIENT_SECRET") || strcontains(name, "PASSWORD")])
    error_message = "The environment has no secrets."
  }

  assert {
    condition     = local.environment.PARTIAL_BATCH_RESPONSE == "false"
    error_message = "On-demand mappings do not read partial batch responses."
  }
}

run "provisioned_pollers_read_partial_batch_responses" {
  command = plan

  variables {
    provisioned_pollers = {}
  }

  assert {
    condition     = local.environment.PARTIAL_BATCH_RESPONSE == "true"
    error_message = "The mappings read partial batch responses."
  }
}

run "an_organisation_in_the_us_uses_brokers_there" {
  command = plan

  variables {
    port      = { org_id = "org_test", base_url = "https://api.us.port.io", app_url = "https://app.us.port.io" }
    github    = { api_url = "https://api.acme.ghe.com", repositories = { services = { name = "acme/services" } } }
    functions = { architecture = "x86_64" }
    # Not of the region: what is planned of it depends on nothing else.
    remediation = { mode = "off" }
  }

  assert {
    condition     = jsonencode(jsondecode(aws_s3_object.remediation_policy.content)) == jsonencode(merge(jsondecode(file("../tests/fixtures/terraform/remediation_policy.json")), { mode = "off" }))
    error_message = "Only the mode differs in the document."
  }

  assert {
    condition     = alltrue([for server in output.kafka.bootstrap_servers : endswith(server, ".us-east-1.amazonaws.com:9196")])
    error_message = "Brokers and API are in the same region."
  }

  assert {
    condition     = local.environment.GITHUB_OIDC_ISSUER == "https://token.actions.acme.ghe.com"
    error_message = "An enterprise with data residency has its own issuer."
  }

  assert {
    condition     = aws_lambda_layer_version.slipway.s3_key == "layer-x86_64/content-of-layer-x86-64.zip"
    error_message = "The layer matches the architecture."
  }
}


run "a_reservation_for_an_unknown_function_is_refused" {
  command = plan

  variables {
    functions = { reserved_concurrency = { no_such = 1 } }
  }

  expect_failures = [output.functions]
}

run "an_existing_cluster_is_read_from_now_on" {
  command = plan

  variables {
    kafka = { mode = "msk", cluster_arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" }
  }

  assert {
    condition     = output.kafka.cluster_arn == "arn:aws:kafka:eu-west-1:111122223333:cluster/runs/0a1b-1" && output.kafka.starting_position == "LATEST"
    error_message = "The cluster is the one that was named."
  }

  assert {
    condition     = length(module.kafka) == 0 && length(aws_msk_single_scram_secret_association.kafka) == 1
    error_message = "The cluster is not created, but the secret is associated with it."
  }
}

run "a_new_provisioned_cluster_is_read_from_its_beginning" {
  command = plan

  variables {
    kafka        = { mode = "msk", create = {} }
    kafka_mirror = { plugin = { bucket_arn = "arn:aws:s3:::acme-plugins", key = "mm2.zip", sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" } }
  }

  assert {
    condition     = output.kafka.starting_position == "TRIM_HORIZON" && length(module.kafka) == 1 && length(module.network) == 1
    error_message = "The cluster is created, and reading starts at its beginning."
  }

  assert {
    condition     = length(module.kafka_mirror) == 1 && toset(keys(output.secrets)) == toset(["port", "github", "kafka", "mirror", "links"])
    error_message = "The mirror copies Port's topics, with its own credential."
  }
}

run "a_new_serverless_cluster_has_no_secret" {
  command = plan

  variables {
    kafka = { mode = "msk", authentication = "IAM", create = { type = "serverless" } }
  }

  assert {
    condition     = length(module.kafka) == 1 && length(aws_msk_single_scram_secret_association.kafka) == 0
    error_message = "IAM signs in without a secret."
  }
}
