# Where the stack can be applied.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  artifacts_dir = "./tests/artifacts"
  port          = { org_id = "org_test" }
  github        = { repositories = { services = { name = "acme/services" } } }
}

run "govcloud_is_accepted" {
  command = plan

  override_data {
    target          = data.aws_partition.current
    override_during = plan
    values          = { partition = "aws-us-gov" }
  }

  assert {
    condition     = startswith(local.function_alias_arns["approval"], "arn:aws-us-gov:lambda:")
    error_message = "ARNs have the partition."
  }
}

run "a_partition_with_other_names_is_refused" {
  command = plan

  override_data {
    target          = data.aws_partition.current
    override_during = plan
    values          = { partition = "aws-cn" }
  }

  expect_failures = [data.aws_partition.current]
}
