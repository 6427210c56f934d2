# Existing resources that replace those of the module.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { repositories = { services = { name = "acme/services" } } }
}

run "an_existing_key_encrypts_everything" {
  command = plan

  variables {
    encryption_key = { arn = "arn:aws:kms:eu-west-1:111122223333:key/own" }
  }

  assert {
    condition     = output.key_arn == "arn:aws:kms:eu-west-1:111122223333:key/own"
    error_message = "The module does not create a key."
  }

  assert {
    condition = toset(flatten([
      for statement in flatten(values(local.grants)) : statement.resources if anytrue([for action in statement.actions : startswith(action, "kms:")])
    ])) == toset(["arn:aws:kms:eu-west-1:111122223333:key/own"])
    error_message = "Functions may use only that key."
  }
}

run "existing_buckets_are_used_with_their_keys" {
  command = plan

  variables {
    buckets = {
      records = { name = "acme-records", key = { arn = "arn:aws:kms:eu-west-1:111122223333:key/records" } }
      audit   = { name = "acme-audit" }
    }
  }

  assert {
    condition     = output.records_bucket == "acme-records" && output.audit_bucket == "acme-audit"
    error_message = "The module does not create these buckets."
  }

  assert {
    condition = (
      local.grants.policy[0].resources == ["arn:aws:s3:::acme-records/policy/*"] &&
      local.grants.audit[0].resources == ["arn:aws:s3:::acme-audit/decisions/*"]
    )
    error_message = "Functions may access only those buckets."
  }

  assert {
    condition = (
      local.grants.records_key[0].resources == ["arn:aws:kms:eu-west-1:111122223333:key/records"] &&
      local.grants.audit[1].resources == [output.key_arn]
    )
    error_message = "A bucket without its own key uses the installation's."
  }

  assert {
    condition     = aws_s3_object.policy.bucket == "acme-records"
    error_message = "The policy is stored in the existing bucket."
  }
}

run "existing_topics_get_the_notifications" {
  command = plan

  variables {
    notification_topics = {
      approvals = { arn = "arn:aws:sns:eu-west-1:111122223333:approvals", key = { arn = "arn:aws:kms:eu-west-1:111122223333:key/topic" } }
      alerts    = { arn = "arn:aws:sns:eu-west-1:111122223333:alerts" }
    }
  }

  assert {
    condition     = output.approvals_topic_arn == "arn:aws:sns:eu-west-1:111122223333:approvals" && output.alerts_topic_arn == "arn:aws:sns:eu-west-1:111122223333:alerts"
    error_message = "The module does not create these topics."
  }

  assert {
    condition     = { for statement in local.grants.notify : statement.sid => statement.resources if statement.sid == "UseKeyOfNotices" } == { UseKeyOfNotices = ["arn:aws:kms:eu-west-1:111122223333:key/topic"] }
    error_message = "Messages are encrypted with the topic's key."
  }

  assert {
    condition     = local.grants.alerts[*].sid == ["TellOfIllServices"]
    error_message = "A topic without a key needs no grant for a key."
  }
}

run "roles_have_the_path_the_boundary_and_the_suffix" {
  command = plan

  variables {
    role_path                = "/platform/"
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    account_suffix           = "-blue"
  }

  assert {
    condition     = alltrue([for role in output.roles : endswith(role.name, "-blue")]) && output.dashboard == "slipway-blue"
    error_message = "Names that are unique in an account end with the suffix."
  }

  assert {
    condition     = local.roles == { path = "/platform/", suffix = "-blue", permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary" }
    error_message = "Roles have the path and the boundary (for every module: tests/unit/test_terraform.py)."
  }
}

run "account_wide_names_end_with_the_region" {
  command = plan

  assert {
    condition     = alltrue([for role in output.roles : endswith(role.name, "-eu-west-1")]) && output.dashboard == "slipway-eu-west-1"
    error_message = "Role and dashboard names end with the region."
  }
}

run "log_groups_begin_with_the_prefix" {
  command = plan

  variables {
    log_group_prefix = "/acme/slipway"
  }

  assert {
    condition = (
      alltrue([for name, function in output.functions : function.log_group_name == "/acme/slipway/lambda/slipway-${name}"]) &&
      module.deliver_later.log_group_name == "/acme/slipway/vendedlogs/states/slipway-deliver_later"
    )
    error_message = "Log groups of functions and state machines begin with the prefix."
  }
}

run "functions_are_in_the_given_vpc" {
  command = plan

  variables {
    functions = { vpc = { subnet_ids = ["subnet-a", "subnet-b"], security_group_ids = ["sg-a"] } }
  }

  assert {
    condition     = local.vpc_of_functions["approval"].subnet_ids == tolist(["subnet-a", "subnet-b"])
    error_message = "All other functions are in the VPC."
  }

  assert {
    condition     = local.vpc_of_functions["probe_health"] == null
    error_message = "The function that probes health URLs is not in the VPC."
  }
}

run "outputs_name_resources_to_attach_to" {
  command = plan

  variables {
    kafka   = { mode = "msk", authentication = "IAM", create = {} }
    network = { vpc_id = "vpc-a", subnet_ids = ["subnet-a", "subnet-b"], security_group_id = "sg-a" }
  }

  assert {
    condition     = output.network == { vpc_id = "vpc-a", subnet_ids = tolist(["subnet-a", "subnet-b"]), security_group_id = "sg-a" }
    error_message = "The output has the VPC, its subnets and the brokers' group."
  }

  assert {
    condition     = output.failed_records_queue.name == "slipway-failed-records" && endswith(output.failed_records_queue.arn, ":slipway-failed-records")
    error_message = "The output has the queue of failed records."
  }

  assert {
    condition     = output.apis.approvals.id == "mock" && output.apis.reports.stage == "live"
    error_message = "The output has both APIs and their stages."
  }

  assert {
    condition     = length(setsubtract(concat(keys(output.functions), ["approval_machine", "remediation_machine", "deliver_later_machine"]), keys(output.roles))) == 0
    error_message = "The output has the role of every function and state machine."
  }
}
