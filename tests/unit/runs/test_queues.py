"""Messages of SQS become records, and records are put into queues."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import boto3
import pytest
from slipway.kafka import KafkaRecord, RecordOutcome
from slipway.runs.failed import FailedRecords
from slipway.runs.queues import QueueBatch, Queues, keep_dead_letters, read_queues, send

pytestmark = pytest.mark.usefixtures("aws")

BODY = b'{"action":"create_service","resourceType":"run"}'
ARN = "arn:aws:sqs:eu-west-1:123456789012:slipway-create_service"


def make_queue(name: str = "slipway-create_service") -> str:
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    return str(boto3.client("sqs").create_queue(QueueName=name, Attributes=fifo)["QueueUrl"])


def receive(url: str) -> list[Any]:
    answer = boto3.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def as_lambda_gives_it(message: Any, arn: str = ARN) -> dict[str, Any]:
    """Convert a received message to the shape of an event source mapping."""
    return {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
    }


def delivered(url: str) -> Sequence[KafkaRecord]:
    event = {"Records": [as_lambda_gives_it(message) for message in receive(url)]}
    return QueueBatch(event, "records").records()


def test_body_is_received_unchanged_from_the_queue() -> None:
    body = '{"text":"\ufffe caf\u00e9 \\u0000"}'.encode()
    url = make_queue()

    send(url, body, None, "records")

    (record,) = delivered(url)
    assert record.text.encode() == body


def test_record_has_the_place_and_time_from_sqs() -> None:
    url = make_queue()
    send(url, BODY, None, "records")

    (record,) = delivered(url)

    assert record.partition == "slipway-create_service-0"
    assert record.timestamp_ms == record.offset > 0
    assert not record.must_be_verified


def test_body_too_large_for_sqs_is_stored_in_s3() -> None:
    body = json.dumps({"text": "x" * 256 * 1024}).encode()
    url = make_queue()

    send(url, body, None, "records")

    key = f"webhook/{hashlib.sha256(body).hexdigest()}.json"
    assert boto3.client("s3").head_object(Bucket="records", Key=key)
    (record,) = delivered(url)
    assert record.text.encode() == body


def test_largest_body_of_a_message_fits_into_sqs() -> None:
    url = make_queue()

    send(url, b"x" * ((256 * 1024 - 1024) // 4 * 3), None, "records")

    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="records", Prefix="webhook/")
    assert len(receive(url)) == 1


def test_changes_of_one_entity_keep_their_order() -> None:
    url = make_queue("slipway-health_checker.fifo")
    for number in range(3):
        value = {"context": {"blueprint": "service", "entity": "shop"}, "number": number}
        send(url, json.dumps(value).encode(), value, "records")

    records = delivered(url)

    assert [each.value["number"] for each in records] == [0, 1, 2]


def test_change_is_queued_once_when_sent_twice() -> None:
    url = make_queue("slipway-health_checker.fifo")

    for _ in range(2):
        send(url, BODY, {"context": "odd"}, "records")

    assert len(receive(url)) == 1


def test_failed_messages_are_reported_to_sqs() -> None:
    url = make_queue()
    for number in range(3):
        send(url, str(number).encode(), None, "records")
    messages = receive(url)
    batch = QueueBatch({"Records": [as_lambda_gives_it(each) for each in messages]}, "records")
    first, second, third = batch.records()

    answer = batch.response(
        [
            RecordOutcome(first, "done"),
            RecordOutcome.failed(second, ZeroDivisionError()),
            RecordOutcome.failed(third, ZeroDivisionError()),
        ]
    )

    named = [{"itemIdentifier": message["MessageId"]} for message in messages[1:]]
    assert answer == {"batchItemFailures": named}


@pytest.mark.parametrize(
    ("value", "queue"),
    [
        ({"resourceType": "run", "action": "create_service"}, "create"),
        ({"resourceType": "run", "action": "run_ended"}, "approval"),
        ({"resourceType": "entity", "action": "UPDATE"}, "changes"),
        ({"resourceType": "run", "action": "unknown"}, None),
        ({"resourceType": "run", "action": ["create_service"]}, None),
        ({"action": "create_service"}, None),
        ([], None),
        (None, None),
    ],
)
def test_message_is_routed_by_its_action(value: object, queue: str | None) -> None:
    runs = {"create_service": "create", "run_ended": "approval"}

    assert Queues(runs=runs, entities="changes").route(value) == queue


def test_installation_without_queues_has_none() -> None:
    assert read_queues("records") == Queues()


def test_dead_letters_become_failed_records() -> None:
    url = make_queue("slipway-create_service-failed")
    for number in range(25):
        body = {
            "resourceType": "run",
            "action": "create_service",
            "context": {"runId": f"r_{number}"},
        }
        send(url, json.dumps(body).encode(), body, "records")

    kept = keep_dead_letters(url, "slipway-create_service", "records")

    found = FailedRecords("records")
    records = [record for place in found.places() if (record := found.read(place))]
    assert kept == len(records) == 25
    assert {record.function_name for record in records} == {"slipway-create_service"}
    assert {subject.run_id for record in records for subject in record.subjects} == {
        f"r_{number}" for number in range(25)
    }
    assert receive(url) == []


def test_large_dead_letter_is_stored_with_its_body() -> None:
    url = make_queue("slipway-create_service-failed")
    body = json.dumps({"text": "x" * 300_000}).encode()
    send(url, body, None, "records")

    keep_dead_letters(url, "slipway-create_service", "records")

    found = FailedRecords("records")
    (record,) = [record for place in found.places() if (record := found.read(place))]
    assert record.records[0].text.encode() == body
