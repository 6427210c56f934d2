"""Start the approval state machine for a run, and end its waits."""

import json
from typing import Literal

from botocore.exceptions import ClientError

from slipway import aws
from slipway.observability import logger
from slipway.runs.executions import start_execution

Next = Literal["Lock", "Request", "Wait", "Execute", "Report", "Done"]
# Step Functions' error codes for a token without a waiting execution.
_GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


def start(machine_arn: str, run_id: str, *, resumed: int = 0) -> str:
    """Start the run's execution, or find the one that was started before.

    Args:
        machine_arn: the approval state machine.
        run_id: names the execution; the input is exactly `{"run_id": …}`.
        resumed: how often the run was resumed; if any, part of the name.

    Returns:
        The execution's name.
    """
    name = f"{run_id}-{resumed}" if resumed else run_id
    start_execution(machine_arn, name, {"run_id": run_id})
    return name


def end_wait(token: str, following: Next) -> bool:
    """End the wait that `token` belongs to.

    Returns:
        False if no execution waits with this token: the wait timed out, and the next
        state reads the decision from the table.
    """
    try:
        aws.stepfunctions().send_task_success(
            taskToken=token, output=json.dumps({"next": following})
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _GONE:
            raise
        logger.info("The wait had ended before", extra={"code": code})
        return False
    return True
