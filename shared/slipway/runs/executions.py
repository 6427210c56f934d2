"""Find executions of Step Functions by the names that Slipway gives."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from slipway import aws
from slipway.runs.models import Execution


def start_execution(machine_arn: str, name: str, payload: dict[str, Any]) -> None:
    """Start an execution; an existing one of this name is a success.

    Args:
        machine_arn: the state machine.
        name: derived from the execution's purpose, so that a repetition finds it.
        payload: its input: for one name always the same, as Step Functions compares it.
    """
    try:
        aws.stepfunctions().start_execution(
            stateMachineArn=machine_arn, name=name, input=json.dumps(payload)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def latest(run_id: str, row: Mapping[str, Any]) -> str:
    """Name a run's last execution: the run id, or `<run id>-<n>` if resumed.

    Args:
        run_id: the run.
        row: its row of the ledger.
    """
    resumed = int(row.get("resumed", 0))
    return f"{run_id}-{resumed}" if resumed else run_id


def status(machine_arn: str, name: str) -> Execution | None:
    """Return an execution's status; None if unknown or older than 90 days.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    """
    states = aws.stepfunctions()
    arn = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    try:
        found = states.describe_execution(executionArn=arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return None
    # An execution that is about to be redriven continues.
    return "RUNNING" if found == "PENDING_REDRIVE" else found
