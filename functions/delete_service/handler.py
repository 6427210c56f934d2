"""Lambda handler of *Delete Service*, invoked by Kafka through an event source mapping."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.changes import delete_service
from slipway.changes.change import carry_out
from slipway.observability import logger, metrics
from slipway.runs.consumer import ConsumerConfig, consume

SETTINGS = ConsumerConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Work on the records of a Kafka event, or on one that was delivered later."""
    return consume(event, context, action=delete_service.ACTION, act=carry_out)
