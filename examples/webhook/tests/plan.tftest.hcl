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
