# For `make plan`: an environment's variables, with a provider that knows no account.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  artifacts_dir = "./tests/artifacts"
}

run "plan" {
  command = plan
}
