"""Run the steps of the remediation state machine."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.config import load
from slipway.health.alerts import Alerts
from slipway.health.steps import RemediationConfig, RemediationSteps
from slipway.observability import logger, metrics
from slipway.runs.clients import port_client, services_repository
from slipway.slack import slack_webhook

SETTINGS = RemediationConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any] | None:
    """Run a step."""
    config: RemediationConfig = load(RemediationConfig)
    steps = RemediationSteps(
        config,
        port_client(),
        lambda place: services_repository(config, place),
        Alerts(config.alerts_topic_arn, slack_webhook(config.slack_secret_id)),
    )
    return steps.run(event)
