"""Handle the runs of an action, read from Kafka."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field
from slipway.config import load
from slipway.observability import logger, metrics
from slipway.runs.consumer import ConsumerConfig, consume

if TYPE_CHECKING:
    from slipway.runs.run import ActiveRun


class ActionConfig(ConsumerConfig):
    """Settings that Terraform gives the function of an action."""

    # As in the catalog, without a prefix.
    action: str = Field(alias="ACTION", min_length=1)


SETTINGS = ActionConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Process the records of a Kafka event, or one delayed record."""
    config = load(ActionConfig)
    action = f"{config.identifier_prefix}{config.action}"
    return consume(event, context, action=action, act=_carry_out)


def _carry_out(run: "ActiveRun") -> None:
    # A claimed run alone needs the catalog and the policy: the claim goes out before their import.
    from slipway.changes.change import carry_out

    carry_out(run)
