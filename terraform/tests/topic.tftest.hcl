mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account = { id = "111122223333", region = "eu-west-1", partition = "aws" }
  name    = "slipway-example"
  key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  emails  = ["one@acme.example", "two@acme.example"]
}

run "messages_are_encrypted_and_require_tls" {
  command = plan

  module {
    source = "./modules/topic"
  }

  assert {
    condition     = aws_sns_topic.this[0].name == "slipway-example" && aws_sns_topic.this[0].kms_master_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k"
    error_message = "The topic is encrypted by the stack's key."
  }

  assert {
    condition     = { for email, one in aws_sns_topic_subscription.email : email => "${one.protocol} ${one.endpoint}" if one.filter_policy == null } == { "one@acme.example" = "email one@acme.example", "two@acme.example" = "email two@acme.example" }
    error_message = "Each person has an e-mail subscription."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.this[0].statement : [statement.effect, one(statement.condition).variable]] == [["Deny", "aws:SecureTransport"]]
    error_message = "Messages without TLS are denied, and no service may publish."
  }
}

run "a_message_for_one_person_reaches_no_other" {
  command = plan

  module {
    source = "./modules/topic"
  }

  variables {
    recipient_attribute = "approver"
  }

  assert {
    condition = {
      for subscription in aws_sns_topic_subscription.email : subscription.endpoint => jsondecode(subscription.filter_policy) if subscription.filter_policy_scope == "MessageAttributes"
    } == { "one@acme.example" = { approver = ["one@acme.example"] }, "two@acme.example" = { approver = ["two@acme.example"] } }
    error_message = "A personal link goes to one person."
  }
}

run "cloudwatch_may_publish_the_alarms_of_this_stack" {
  command = plan

  module {
    source = "./modules/topic"
  }

  variables {
    alarms_prefix = "slipway"
  }

  assert {
    condition = jsonencode([
      for statement in data.aws_iam_policy_document.this[0].statement : [statement.actions, { for condition in statement.condition : condition.variable => condition.values }]
      if contains(flatten([for principal in statement.principals : tolist(principal.identifiers)]), "cloudwatch.amazonaws.com")
      ]) == jsonencode([[["sns:Publish"], {
        "aws:SourceAccount" = ["111122223333"]
        "aws:SourceArn"     = ["arn:aws:cloudwatch:eu-west-1:111122223333:alarm:slipway-*"]
    }]])
    error_message = "Only alarms that begin with the prefix may publish."
  }
}
