"""Handle changes of entities, read from Kafka."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.config import SubscriptionsConfig, load
from slipway.health.change_consumer import ChangeConsumer
from slipway.observability import logger, metrics

SETTINGS = SubscriptionsConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Start the subscribers of the changes in an event."""
    seconds = context.get_remaining_time_in_millis() / 1000
    return ChangeConsumer(load(SubscriptionsConfig)).handle(event, seconds)
