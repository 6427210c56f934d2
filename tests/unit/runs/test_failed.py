"""Failed records in the bucket: any content can be listed, and a record is archived unchanged."""

import base64
import json
from typing import Any

import boto3
import pytest
from slipway.runs.failed import FailedRecord, FailedRecords, Place, Subject

from tests.unit.conftest import RUN_ID

KEY = "aws/lambda/uuid/org_test.runs-0/2026/11/23/2026-11-23T10.00.00-a-b"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"
RUN = {"resourceType": "run", "action": "create_service", "context": {"runId": RUN_ID}}
NOTICE = {"resourceType": "run", "action": "run_ended", "context": {"runId": RUN_ID}}
CHANGE = {"resourceType": "entity", "diff": {}}


def kafka(value: object, offset: int = 0) -> dict[str, Any]:
    text = base64.b64encode(json.dumps(value).encode()).decode()
    place = {"topic": "org_test.runs", "partition": 0, "offset": offset, "timestamp": 1_000}
    return {**place, "value": text}


def of_lambda(*records: dict[str, Any], as_text: bool = True) -> bytes:
    event: Any = {"eventSource": "SelfManagedKafka", "records": {"org_test.runs-0": list(records)}}
    context = {
        "functionArn": FUNCTION,
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 11,
    }
    payload = json.dumps(event) if as_text else event
    return json.dumps({"requestContext": context, "payload": payload}).encode()


@pytest.fixture
def records(aws: None) -> FailedRecords:
    boto3.client("s3").put_bucket_versioning(
        Bucket="records", VersioningConfiguration={"Status": "Enabled"}
    )
    return FailedRecords("records")


def store(body: bytes, key: str = KEY) -> None:
    boto3.client("s3").put_object(Bucket="records", Key=key, Body=body)


def read(records: FailedRecords) -> FailedRecord:
    (place,) = records.places()
    record = records.read(place)
    assert record
    return record


def keys() -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="records").get("Contents", [])
    return [item["Key"] for item in listed if not item["Key"].startswith("policy/")]


@pytest.mark.parametrize("as_text", [True, False])
def test_failed_record_has_the_event_function_and_condition(
    records: FailedRecords, as_text: bool
) -> None:
    store(of_lambda(kafka(RUN), kafka(CHANGE, 1), as_text=as_text))

    record = read(records)

    assert record.function_name == "slipway-create_service"
    assert record.why == "RetryAttemptsExhausted after 11 invocations"
    assert [each.offset for each in record.records] == [0, 1]
    assert record.subjects == [Subject(RUN_ID)]


def test_record_of_a_delayed_delivery_is_read_as_an_event(
    records: FailedRecords,
) -> None:
    store(json.dumps(kafka(RUN)).encode(), f"held/{RUN_ID}.json")

    record = read(records)

    assert record.event == {
        "eventSource": "SelfManagedKafka",
        "records": {"org_test.runs-0": [kafka(RUN)]},
    }
    assert record.function_name is None


def test_failed_run_ended_message_is_marked_as_one(records: FailedRecords) -> None:
    store(of_lambda(kafka(NOTICE)))

    assert read(records).subjects == [Subject(RUN_ID, notice=True)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"5",
        b"{}",
        b"[" * 100_000,
        json.dumps({"payload": "{}", "requestContext": {}}).encode(),
        json.dumps({"payload": {"records": {"t": [5]}}, "requestContext": {}}).encode(),
        json.dumps({"payload": {"records": {}}, "requestContext": {"functionArn": "x"}}).encode(),
    ],
)
@pytest.mark.parametrize("key", [KEY, f"held/{RUN_ID}.json"])
def test_invalid_object_is_reported_and_can_be_archived(
    records: FailedRecords, key: str, body: bytes
) -> None:
    store(body, key)

    record = read(records)

    assert record.event is None
    assert record.subjects == []
    assert "not a failed record" in record.why
    records.put_away(record, "discarded")
    assert keys() == [f"archive/discarded/{key}"]


def test_unreadable_records_name_no_run(
    records: FailedRecords,
) -> None:
    junk = {**kafka(RUN), "value": "!"}
    store(of_lambda(junk, {**kafka(RUN), "value": None}, kafka("text")))

    assert read(records).subjects == []


def test_archiving_keeps_a_record_that_failed_again(
    records: FailedRecords,
) -> None:
    key = f"held/{RUN_ID}.json"
    store(json.dumps(kafka(RUN)).encode(), key)
    record = read(records)
    store(json.dumps(kafka(RUN, 7)).encode(), key)

    records.put_away(record, "replayed")

    assert keys() == [f"archive/replayed/{key}", key]
    assert read(records).records[0].offset == 7


def test_archiving_twice_does_nothing(
    records: FailedRecords,
) -> None:
    store(of_lambda(kafka(RUN)))
    record = read(records)
    records.put_away(record, "replayed")

    records.put_away(record, "replayed")

    assert keys() == [f"archive/replayed/{KEY}"]
    assert records.read(record.place) is None


def test_record_reference_is_short_and_stable() -> None:
    now: Any = None

    assert Place(KEY, now).reference == Place(KEY, now).reference
    assert Place(KEY, now).reference != Place(f"held/{RUN_ID}.json", now).reference
    assert len(Place(KEY, now).reference) == 8
