"""Lambda handler behind `POST /port/webhook`."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.observability import logger, metrics
from slipway.runs.webhook import WebhookConfig, webhook

SETTINGS = WebhookConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Put what Port sends into the queue of the function that it is for."""
    return webhook().answer(event)
