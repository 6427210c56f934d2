"""Lambda handler of the change log, invoked by Kafka through an event source mapping."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.config import SubscriptionsConfig, load
from slipway.health.watch import ChangeWatch
from slipway.observability import logger, metrics

SETTINGS = SubscriptionsConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Start what subscribes to the changes of an event."""
    return ChangeWatch(load(SubscriptionsConfig)).read(event)
