mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan

  mock_resource "aws_s3_object" {
    defaults = { version_id = "version-of-the-catalog" }
  }
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { repositories = { services = { name = "acme/services" } } }
}

run "functions_and_policy_wait_for_the_check_of_the_catalog" {
  command = plan

  assert {
    condition     = jsondecode(aws_lambda_invocation.check_catalog.input) == { catalog_version = "version-of-the-catalog", policy = jsondecode(aws_s3_object.policy.content) }
    error_message = "The check receives the catalog's version and the new policy."
  }

  assert {
    condition     = aws_lambda_invocation.check_catalog.triggers.layer == aws_lambda_layer_version.slipway.arn && aws_lambda_invocation.check_catalog.triggers.code == "check_catalog/content-of-check-catalog.zip"
    error_message = "New code checks the same catalog again."
  }

  assert {
    condition     = aws_s3_object.catalog.bucket == module.storage.records_bucket.name && aws_s3_object.catalog.key == "catalog/catalog.json"
    error_message = "The catalog has one key in a bucket with versions."
  }

  assert {
    condition = {
      for path, text in jsondecode(aws_s3_object.catalog.content).files : path => base64decode(text)
    } == { for path in fileset("../catalog", "**") : path => file("../catalog/${path}") }
    error_message = "The object has every file of the catalog unchanged."
  }

  assert {
    condition     = toset([for name, environment in local.function_environments : environment.CATALOG_VERSION if can(environment.CATALOG_VERSION)]) == toset(["version-of-the-catalog"])
    error_message = "Functions read the version that was checked."
  }

  assert {
    condition     = local.read_catalog.actions == ["s3:GetObjectVersion"] && local.read_catalog.resources == ["arn:aws:s3:::mock/catalog/catalog.json"]
    error_message = "They may read versions of this object."
  }
}

run "another_catalog_has_its_own_functions" {
  command = plan

  variables {
    catalog_dir       = "../tests/catalogs/acme"
    github            = { repositories = { for unit in ["pay", "shop", "core"] : unit => { name = "acme/${unit}" } }, team_reviewers = { for number in range(42) : "Team ${number}" => ["octocat"] } }
    catalog_settings  = { any = "value", list = [1] }
    identifier_prefix = "acme_"
    approvals         = { limits = { configure_service = { max = 7 } } }
  }

  assert {
    condition     = toset(keys(local.actions)) == toset(["configure_service", "create_service", "delete_service", "redeploy_service"])
    error_message = "Each action of the folder has a function, and no other action has one."
  }

  assert {
    condition     = output.functions["redeploy_service"].function_name == "slipway-redeploy_service" && local.functions["redeploy_service"].filters == [{ resourceType = ["run"], action = ["acme_redeploy_service"] }]
    error_message = "Port's identifier has the prefix, but the function's name does not."
  }

  assert {
    condition     = local.functions["approval"].filters == [{ resourceType = ["run"], action = ["acme_decide_approval", "acme_run_ended"] }]
    error_message = "The actions for decisions and ended runs have the prefix, too."
  }

  assert {
    condition = (
      toset(keys(jsondecode(aws_s3_object.policy.content).own_actions)) == toset(concat(["acme_decide_approval"], [for name in keys(local.actions) : "acme_${name}"])) &&
      toset(jsondecode(aws_s3_object.policy.content).own_automations) == toset(concat(["acme_service_health_changes"], [for name in keys(local.actions) : "acme_${name}_ended"]))
    )
    error_message = "The sweep identifies actions and automations as Port does."
  }

  assert {
    condition = (
      jsondecode(aws_s3_object.policy.content).settings == { any = "value", list = [1] } &&
      jsondecode(aws_s3_object.policy.content).limits == { configure_service = { max = 7 } } &&
      jsondecode(aws_s3_object.policy.content).repositories.pay == { name = "acme/pay", base_branch = "main", merge_method = "auto", installation_id = null }
    )
    error_message = "Settings, limits and repositories are in the document that functions read."
  }

  assert {
    # Lambda allows 4 KB, which thirteen actions or 42 reviewers exceeded.
    condition = length(jsondecode(aws_s3_object.policy.content).team_reviewers) == 42 && !anytrue(flatten([
      for value in values(local.environment) : [for name in concat(keys(local.actions), ["Team 41", "octocat"]) : strcontains(value, name)]
    ]))
    error_message = "No environment variable grows with the actions or the reviewers."
  }

  assert {
    condition     = jsondecode(local.environment.HEALTH_BLUEPRINTS) == ["service"] && local.environment.IDENTIFIER_PREFIX == "acme_"
    error_message = "The functions have the prefix and the blueprints with health."
  }

  assert {
    condition     = alltrue([for kind in ["errors", "throttles", "duration", "lag"] : contains(module.observability.alarms, "slipway-redeploy_service-${kind}")])
    error_message = "Each action has alarms."
  }
}

run "a_catalog_without_health_starts_no_repair" {
  command = plan

  variables {
    catalog_dir = "../tests/fixtures/terraform/catalogs/without_health"
  }

  assert {
    condition     = length(local.health_blueprints) == 0 && local.change_filters[0].context.blueprint == tolist([""])
    error_message = "Without health, no change starts an execution: a filter without a blueprint would match all changes."
  }
}

run "reserved_and_duplicate_action_names_are_refused" {
  command = plan

  variables {
    catalog_dir = "../tests/fixtures/terraform/catalogs/refused_names"
  }

  expect_failures = [aws_s3_object.catalog]
}
