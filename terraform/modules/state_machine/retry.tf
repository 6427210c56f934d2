# Retries of a task, by its error. Definitions use the whole policy (`retry`), or the part that
# every call of a function needs (`retry_of_lambda`).
locals {
  # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
  retry_of_lambda = {
    ErrorEquals     = ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"]
    IntervalSeconds = 2
    BackoffRate     = 2
    MaxDelaySeconds = 120
    MaxAttempts     = 8
    JitterStrategy  = "FULL"
  }

  retry = [
    {
      # Long enough to outlast GitHub's hourly rate limit: 88 minutes on average, as jitter halves each pause.
      ErrorEquals     = var.retryable_errors
      IntervalSeconds = 5
      BackoffRate     = 2
      MaxDelaySeconds = 300
      MaxAttempts     = 40
      JitterStrategy  = "FULL"
    },
    local.retry_of_lambda,
    {
      # The process was killed, or ran out of time or memory: each step can be repeated. The runtime
      # decides the error's name:
      # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
      ErrorEquals     = ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"]
      IntervalSeconds = 2
      BackoffRate     = 2
      MaxDelaySeconds = 60
      MaxAttempts     = 5
      JitterStrategy  = "FULL"
    },
    {
      # All other errors, such as an outage of AWS: a few retries, as an event source would.
      ErrorEquals     = ["States.TaskFailed"]
      IntervalSeconds = 2
      BackoffRate     = 2
      MaxAttempts     = 2
    },
  ]
}
