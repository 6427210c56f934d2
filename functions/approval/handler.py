"""Lambda handler of approvals: called by Step Functions, Kafka and API Gateway."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.approvals.function import ApprovalConfig, ApprovalFunction
from slipway.approvals.request import DECIDE_ACTION
from slipway.observability import logger, metrics
from slipway.runs.consumer import consume

SETTINGS = ApprovalConfig


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Take a step of the machine, a decision, or notice of a run that somebody ended."""
    function = ApprovalFunction()
    if "step" in event:
        logger.append_keys(run_id=event.get("run_id"), step=event["step"])
        return function.take_step(event)
    if "httpMethod" in event:
        # Late: Powertools' router is of use to this door only.
        from functions.approval.api import resolve

        return resolve(event, context, function)
    return consume(
        event,
        context,
        action=f"{function.config.identifier_prefix}{DECIDE_ACTION}",
        act=function.decide_by_port,
        on_ended=function.withdraw,
    )
