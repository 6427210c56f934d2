"""Executions of Step Functions, found again by their names."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError


def start_execution(machine_arn: str, name: str, payload: dict[str, Any]) -> None:
    """Start an execution; one that was started before under this name is a success.

    Args:
        machine_arn: the state machine.
        name: derived from what the execution is for, so that a repetition finds it.
        payload: its input: for one name always the same, as Step Functions compares it.
    """
    try:
        boto3.client("stepfunctions").start_execution(
            stateMachineArn=machine_arn, name=name, input=json.dumps(payload)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
