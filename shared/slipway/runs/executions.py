"""What became of an execution, by the name that Slipway has given it."""

from collections.abc import Mapping
from typing import Any

import boto3

from slipway.runs.abandoned import Execution


def latest(run_id: str, row: Mapping[str, Any]) -> str:
    """Name of a run's last execution: the run id, or `<run id>-<n>` once it was resumed.

    Args:
        run_id: the run.
        row: its row of the ledger.
    """
    resumed = int(row.get("resumed", 0))
    return f"{run_id}-{resumed}" if resumed else run_id


def status(machine_arn: str, name: str) -> Execution | None:
    """An execution's status; None if there is none of that name, or it ended over 90 days ago.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    """
    states = boto3.client("stepfunctions")
    arn = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    try:
        found = states.describe_execution(executionArn=arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return None
    # One that is about to be redriven goes on.
    return "RUNNING" if found == "PENDING_REDRIVE" else found
