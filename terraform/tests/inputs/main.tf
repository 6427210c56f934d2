# The stack's variables and nothing else: tests/terraform/test_variables.py passes it hundreds of values.
terraform {
  required_version = ">= 1.11, < 2.0"
}
