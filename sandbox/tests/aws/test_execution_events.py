"""Test that EventBridge notifies a function of failed executions, as on AWS."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, REGION, RunningAws

# Stores each event under the name of its execution.
LISTENER = """
import boto3, json, os
def handler(event, context):
    kept = {**event, "function_arn": context.invoked_function_arn}
    key = f"{event['detail']['name']}/{event['detail']['status']}"
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=json.dumps(kept))
"""
STATES = {
    "ABORTED": {"Type": "Wait", "Seconds": 600, "End": True},
    "FAILED": {"Type": "Fail", "Error": "Slipway.Held", "Cause": "see the log"},
    "TIMED_OUT": {"Type": "Wait", "Seconds": 600, "End": True},
    "SUCCEEDED": {"Type": "Succeed"},
}


@pytest.fixture(scope="module")
def bucket(aws: RunningAws) -> str:
    name = aws.name("events")
    location = {"LocationConstraint": REGION}
    aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
    return name


@pytest.fixture(scope="module")
def listener(aws: RunningAws, bucket: str) -> str:
    function = aws.function(LISTENER, Environment={"Variables": {"BUCKET": bucket}})
    client = aws.client("lambda")
    version = client.publish_version(FunctionName=function)["Version"]
    alias = client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    return str(alias["AliasArn"])


def machine(aws: RunningAws, status: str) -> str:
    definition = {"StartAt": "Only", "TimeoutSeconds": 1 if status == "TIMED_OUT" else 600}
    made = aws.client("stepfunctions").create_state_machine(
        name=aws.name("machine"),
        definition=json.dumps({**definition, "States": {"Only": STATES[status]}}),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine",
    )
    return str(made["stateMachineArn"])


def watch(aws: RunningAws, state_machine: str, listener: str) -> None:
    """Create a rule for the machine and three statuses, with its target, as the stack does."""
    rule = aws.name("rule")
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [state_machine],
            "status": ["ABORTED", "TIMED_OUT", "FAILED"],
        },
    }
    made = aws.client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    aws.client("events").put_targets(Rule=rule, Targets=[{"Id": "sweep", "Arn": listener}])
    aws.client("lambda").add_permission(
        FunctionName=listener,
        StatementId=rule,
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=made["RuleArn"],
    )


def run(aws: RunningAws, state_machine: str, status: str) -> tuple[str, str]:
    client = aws.client("stepfunctions")
    run_id = aws.name("r_run")
    execution = client.start_execution(
        stateMachineArn=state_machine, name=run_id, input=json.dumps({"run_id": run_id})
    )["executionArn"]
    if status == "ABORTED":
        client.stop_execution(executionArn=execution, error="E", cause="C")

    def ended() -> bool:
        return bool(client.describe_execution(executionArn=execution)["status"] == status)

    wait_for(ended)
    return run_id, execution


def event_of(aws: RunningAws, bucket: str, run_id: str, status: str) -> Any:
    try:
        key = f"{run_id}/{status}"
        return json.load(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
    except ClientError:
        return None


@pytest.mark.parametrize(
    ("status", "error", "cause"),
    [
        ("ABORTED", "E", "C"),
        ("FAILED", "Slipway.Held", "see the log"),
        ("TIMED_OUT", None, None),
    ],
)
def test_function_is_notified_of_a_failed_execution(
    aws: RunningAws, bucket: str, listener: str, status: str, error: str, cause: str
) -> None:
    state_machine = machine(aws, status)
    watch(aws, state_machine, listener)

    run_id, execution = run(aws, state_machine, status)

    event = wait_for(lambda: event_of(aws, bucket, run_id, status))
    assert event["source"] == "aws.states"
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert event["resources"] == [execution]
    assert (event["account"], event["region"]) == (ACCOUNT, REGION)
    assert event["function_arn"] == listener
    detail = event["detail"]
    description = aws.client("stepfunctions").describe_execution(executionArn=execution)
    assert detail == {
        "executionArn": execution,
        "stateMachineArn": state_machine,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": run_id,
        "status": status,
        "startDate": int(description["startDate"].timestamp() * 1000),
        "stopDate": int(description["stopDate"].timestamp() * 1000),
        "input": json.dumps({"run_id": run_id}, separators=(",", ":")),
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
        "error": error,
        "cause": cause,
    }


def test_function_is_not_notified_of_other_executions(
    aws: RunningAws, bucket: str, listener: str
) -> None:
    watched, other = machine(aws, "SUCCEEDED"), machine(aws, "FAILED")
    failing = machine(aws, "FAILED")
    watch(aws, watched, listener)
    watch(aws, failing, listener)

    well, _ = run(aws, watched, "SUCCEEDED")
    not_watched, _ = run(aws, other, "FAILED")
    last, _ = run(aws, failing, "FAILED")

    # The last event has arrived, so earlier ones would have arrived, too.
    wait_for(lambda: event_of(aws, bucket, last, "FAILED"))
    assert event_of(aws, bucket, well, "SUCCEEDED") is None
    assert event_of(aws, bucket, not_watched, "FAILED") is None
