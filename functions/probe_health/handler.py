"""Probe health URLs: the only function that connects to them.

The function has no permissions, no credentials and no other task. It may run in its own network.

It has no permissions, no credentials and no other task, and may be in a network of its own.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field, Json
from slipway.config import Config, load
from slipway.health.addresses import ProbeLimits
from slipway.health.canary import look_at
from slipway.health.finding import Expectation, JsonPath
from slipway.observability import logger, metrics


class ProbeConfig(Config):
    """Settings of the probe."""

    limits: Json[ProbeLimits] = Field(alias="HEALTH_PROBE")


SETTINGS = ProbeConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Probe a health URL once and return the `Finding`."""
    path = event["json_path"]
    wanted = Expectation(event["status"], JsonPath(path) if path else None, event["json_value"])
    finding = look_at(event["url"], wanted, load(ProbeConfig).limits)
    logger.info("Probed", extra={"state": finding.state, "kind": finding.kind})
    return finding.model_dump()
