"""What unit tests share: AWS by moto, and a run's message."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws
from slipway import config
from slipway.port.message import Requester, RunMessage
from slipway.runs import ledger

RUN_ID = "r_0123456789abcdef"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "PORT_BASE_URL": "https://port.test",
    "PORT_APP_URL": "https://app.port.test",
    "PORT_ORG_ID": "org_test",
    "PORT_SECRET_ID": "slipway/port",
    "GITHUB_API_URL": "https://github.test/api/v3",
    "GITHUB_SECRET_ID": "slipway/github",
    "SERVICES_REPO": "acme/services",
    "TEAM_REVIEWERS": '{"payments": ["team:payments"]}',
    "RUNS_TABLE": "runs",
    "LOCKS_TABLE": "locks",
    "IDEMPOTENCY_TABLE": "idempotency",
    "DELIVER_LATER_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:deliver_later",
    "RECORDS_BUCKET": "records",
}
TABLES = {"runs": "run_id", "locks": "service", "idempotency": "id"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account with Slipway's tables, bucket, secrets and state machine."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    config.load.cache_clear()
    config._current_secrets.cache_clear()
    ledger.dynamodb_table.cache_clear()
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        for table, key in TABLES.items():
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        boto3.client("s3").create_bucket(
            Bucket="records", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        boto3.client("stepfunctions").create_state_machine(
            name="deliver_later",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            roleArn="arn:aws:iam::123456789012:role/deliver_later",
        )
        yield
    config.load.cache_clear()
    config._current_secrets.cache_clear()
    ledger.dynamodb_table.cache_clear()


def make_message(**changes: Any) -> RunMessage:
    """A request to create `my-demo-service`."""
    defaults: dict[str, Any] = {
        "run_id": RUN_ID,
        "action": "create_service",
        "blueprint": "service",
        "entity": None,
        "operation": "CREATE",
        "requester": Requester(user_id="auth0|1", email="dev@acme.example", name="Dee Veloper"),
        "requested_at": datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        "inputs": {},
        "censored": (),
        "entity_snapshot": None,
    }
    return RunMessage(**{**defaults, **changes})
