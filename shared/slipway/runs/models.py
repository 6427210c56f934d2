"""Define values of the machinery of runs. No I/O."""

from typing import Literal

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
Execution = Literal["RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]
