"""Records that are delivered later."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from slipway.config import LedgerConfig, load
from slipway.errors import RetryableError
from slipway.kafka import KafkaRecord
from slipway.runs.later import MAX_POSTPONED, LaterDelivery, resume_time
from slipway.runs.ledger import Ledger

from tests.unit.conftest import ENVIRONMENT, RUN_ID

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RECORD = KafkaRecord.read(
    {"topic": "org_test.runs", "partition": 0, "offset": 3, "timestamp": 1, "value": "e30="}
)


def later() -> LaterDelivery:
    return LaterDelivery(load(LedgerConfig), Ledger("runs"))


@pytest.mark.parametrize(
    ("retry_at", "waiting_since", "expected"),
    [
        (NOW + timedelta(minutes=40), NOW, timedelta(minutes=40)),
        (NOW - timedelta(minutes=1), NOW, timedelta(0)),
        (NOW + timedelta(days=9), NOW, timedelta(hours=2)),
        (None, NOW, timedelta(seconds=30)),
        (None, NOW - timedelta(minutes=4), timedelta(minutes=4)),
        (None, NOW - timedelta(hours=4), timedelta(minutes=15)),
    ],
)
def test_resume_time_is_the_servers_or_doubles(
    retry_at: datetime | None, waiting_since: datetime, expected: timedelta
) -> None:
    error = RetryableError("GitHub is throttling", retry_at)

    assert resume_time(error, waiting_since, NOW) == NOW + expected


@pytest.mark.usefixtures("aws")
def test_postponed_record_waits_in_an_execution_of_its_run() -> None:
    later().postpone(RUN_ID, RECORD, NOW, "arn:function:live")

    states = boto3.client("stepfunctions")
    machine = ENVIRONMENT["DELIVER_LATER_ARN"]
    execution = states.list_executions(stateMachineArn=machine)["executions"][0]
    assert execution["name"] == f"{RUN_ID}-later-1"
    described = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"run_id": RUN_ID}
    assert later().load(RUN_ID) == RECORD


@pytest.mark.usefixtures("aws")
def test_postponing_fails_at_the_limit() -> None:
    for _ in range(MAX_POSTPONED):
        later().postpone(RUN_ID, RECORD, NOW, "arn:function:live")

    with pytest.raises(RetryableError, match="postponed 20 times without success"):
        later().postpone(RUN_ID, RECORD, NOW, "arn:function:live")
