"""Handle `POST /reports`."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.observability import logger, metrics
from slipway.reports.endpoint import ReportFunctionConfig, answer

# Part of API Gateway's 29-second limit that may be spent waiting for GitHub.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_RETRY_BUDGET = 8.0

SETTINGS = ReportFunctionConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Read a pull request and report its outcome."""
    return answer(event, _RETRY_BUDGET)
