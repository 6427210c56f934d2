# The API that GitHub's workflows ask for reports.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name_prefix    = "slipway"
  invocation_uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:slipway-report_pull_request:live/invocations"
  throttle_rate  = 20
  throttle_burst = 40
  base_url       = null
  key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/k"
  logs           = { prefix = "/aws", retention_days = 90 }
}

run "one_throttled_route_calls_the_function" {
  command = plan

  module {
    source = "./modules/reports"
  }

  assert {
    condition     = aws_api_gateway_method.report.http_method == "POST" && aws_api_gateway_integration.report.uri == var.invocation_uri
    error_message = "POST /reports calls the function's alias."
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.this.settings).throttling_rate_limit == 20 && one(aws_api_gateway_method_settings.this.settings).throttling_burst_limit == 40
    error_message = "The stage throttles requests."
  }
}

run "logs_contain_no_token" {
  command = plan

  module {
    source = "./modules/reports"
  }

  assert {
    condition     = !strcontains(lower(one(aws_api_gateway_stage.this.access_log_settings).format), "authorization") && !strcontains(lower(one(aws_api_gateway_stage.this.access_log_settings).format), "header")
    error_message = "The access log does not contain headers."
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.this.settings).logging_level == "OFF" && !one(aws_api_gateway_method_settings.this.settings).data_trace_enabled
    error_message = "The execution log is off, because it would contain headers and bodies."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.key_arn && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "The access log is encrypted, and has the retention of the other logs."
  }
}

run "the_base_address_can_be_set" {
  command = plan

  module {
    source = "./modules/reports"
  }

  variables {
    base_url = "https://slipway.example.com/{api_id}"
  }

  override_resource {
    target          = aws_api_gateway_rest_api.this
    override_during = plan
    values          = { id = "abc123" }
  }

  assert {
    condition     = output.url == "https://slipway.example.com/abc123/reports"
    error_message = "The address has the API's id and the route."
  }
}
