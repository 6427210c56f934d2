# For `make plan`: a provider that knows no account.
mock_provider "aws" {
  source = "../../terraform/tests/mocks"
}

variables {
  artifacts_dir = "../../terraform/tests/artifacts"
}

run "plan" {
  command = plan
}

run "plan_with_msk" {
  command = plan

  variables {
    mode = "msk"
  }
}

run "plan_with_webhook" {
  command = plan

  variables {
    mode = "webhook"
  }
}
