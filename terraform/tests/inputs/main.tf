# The stack's variables and nothing else, so that each of the many values that they refuse is tested without a plan.
terraform {
  required_version = ">= 1.11, < 2.0"
}
