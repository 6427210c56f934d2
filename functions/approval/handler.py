"""Handle approvals for Step Functions, Kafka and API Gateway."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.approvals.function import approval_function
from slipway.approvals.request import DECIDE_ACTION
from slipway.approvals.settings import ApprovalConfig
from slipway.observability import logger, metrics
from slipway.runs.consumer import consume

SETTINGS = ApprovalConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Run a workflow step, count a decision, or clean up an ended run."""
    function = approval_function()
    if "step" in event:
        logger.append_keys(run_id=event.get("run_id"), step=event["step"])
        return function.run_step(event)
    if "httpMethod" in event:
        # Imported late: only this channel needs Powertools' router.
        from functions.approval.api import resolve

        return resolve(event, context, function)
    return consume(
        event,
        context,
        action=f"{function.config.identifier_prefix}{DECIDE_ACTION}",
        act=function.decide_by_port,
        on_ended=function.withdraw,
    )
