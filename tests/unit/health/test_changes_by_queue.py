"""Entity changes from the function's queue, when Port sends them by webhook."""

import base64
import json
from typing import Any

import pytest
from slipway.health import admission

from tests.unit.health.remedy import SERVICE, World, executions
from tests.unit.health.test_change_consumer import FIRST, degraded, refuse_to_start

pytestmark = pytest.mark.waits
QUEUE = "slipway-health_checker.fifo"


def queued(*values: object, first: int = 10**19) -> dict[str, Any]:
    """Make an event of the queue, with sequence numbers as SQS has them."""
    return {
        "Records": [
            {
                "messageId": f"message-{first + number}",
                "body": base64.b64encode(json.dumps(value).encode()).decode(),
                "attributes": {
                    "SentTimestamp": "1764510000000",
                    "SequenceNumber": str(first + number),
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{QUEUE}",
            }
            for number, value in enumerate(values)
        ]
    }


def test_queued_change_starts_a_remediation(world: World) -> None:
    assert world.read(queued(degraded())) == {"batchItemFailures": []}

    assert list(executions()) == [FIRST]
    assert world.row.offsets == {f"{QUEUE}-0": 10**19}


def test_queued_change_is_acted_on_once(world: World) -> None:
    for _ in range(2):
        world.read(queued(degraded()))

    assert list(executions()) == [FIRST]
    assert world.row.changes == 1


def test_failed_queued_change_is_reported_to_sqs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_start(monkeypatch, admission)

    answer = world.read(queued("not a change", degraded(service=SERVICE)))

    assert answer == {"batchItemFailures": [{"itemIdentifier": f"message-{10**19 + 1}"}]}
