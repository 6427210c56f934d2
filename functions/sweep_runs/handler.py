"""Sweep on a schedule, and when an execution was stopped."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.config import RemediationsConfig, load
from slipway.observability import logger, metrics
from slipway.sweep.sweep import SweepConfig, stopped, stopped_remediations, sweep

SETTINGS = SweepConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Sweep, or handle the run or service of an execution that was stopped."""
    if event["detail-type"] == "Scheduled Event":
        sweep(context.get_remaining_time_in_millis() / 1000)
        return
    detail = event["detail"]
    if detail["stateMachineArn"] == load(RemediationsConfig).remediation_machine_arn:
        service = _service_of(detail.get("input"))
        if service is None:
            logger.info(
                "Ignored an execution that Slipway did not start",
                extra={"execution": detail["name"]},
            )
            return
        stopped_remediations().release(service, detail["name"], detail["status"])
    else:
        stopped(detail["name"], detail["status"])


def _service_of(text: object) -> str | None:
    """Return the service of an execution's input.

    Every user with console access can start an execution, so the input is untrusted.
    """
    try:
        service = json.loads(str(text))["service"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return service if isinstance(service, str) else None
