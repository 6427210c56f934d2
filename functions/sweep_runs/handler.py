"""Lambda handler of the sweep: told by EventBridge of executions that did not end by themselves."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.observability import logger, metrics
from slipway.runs.sweep import stopped


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Look after the run of an execution that failed, was aborted or timed out."""
    stopped(event["detail"]["name"], event["detail"]["status"])
