"""A mapping's configuration, its secret, and what its destination is sent."""

import json
from datetime import UTC, datetime

import pytest

from sandbox.aws.event_source.batching import BatchLimits
from sandbox.aws.event_source.collaborators import Invocation
from sandbox.aws.event_source.credentials import parse
from sandbox.aws.event_source.failures import (
    Condition,
    Failure,
    bucket_of,
    invocation_record,
    object_key,
    service_of,
)
from sandbox.aws.event_source.mapping import Mapping
from sandbox.aws.event_source.problem import Problem
from sandbox.aws.event_source.records import Source, encode
from sandbox.aws.event_source.retries import RetryPolicy
from sandbox.tests.event_source.harness import BUCKET, CLUSTER, FUNCTION, SECRET, batch, record

RUNS = json.dumps({"value": {"resourceType": ["run"], "action": ["create_service"]}})
MSK = Source("b-1:9098,b-2:9098", CLUSTER)
SELF_MANAGED = Source("b-1:9196")


def test_an_s3_record_has_the_event_as_text() -> None:
    given_up = Failure(
        batch(7, 9), Condition.RETRIES_EXHAUSTED, 11,
        Invocation(b"{}", "316aa6d0", executed_version="3", function_error="Unhandled"),
    )  # fmt: skip
    now = datetime(2026, 11, 23, 10, 4, 5, 60_000, tzinfo=UTC)
    document = invocation_record(given_up, FUNCTION, MSK, now, with_payload=True)
    assert json.loads(document.pop("payload")) == MSK.event(batch(7, 9))
    assert document == {
        "requestContext": {
            "requestId": "316aa6d0",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 11,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "3",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-11-23T10:04:05.060Z",
        "KafkaBatchInfo": {
            "batchSize": 2,
            "eventSourceArn": CLUSTER,
            "bootstrapServers": "b-1:9098,b-2:9098",
            "payloadSize": len(encode(MSK.event(batch(7, 9)))),
            "recordsInfo": {
                "runs-0": {
                    "firstRecordOffset": "7",
                    "lastRecordOffset": "9",
                    "firstRecordTimestamp": "2023-11-14T22:13:20.000Z",
                    "lastRecordTimestamp": "2023-11-14T22:13:20.000Z",
                }
            },
        },
    }


def test_a_record_of_what_was_never_invoked_has_no_response() -> None:
    given_up = Failure(batch(7), Condition.TOO_LARGE)
    document = invocation_record(
        given_up, FUNCTION, SELF_MANAGED, datetime.now(UTC), with_payload=False
    )
    assert document["responseContext"] is None
    assert "payload" not in document
    assert "eventSourceArn" not in document["KafkaBatchInfo"]


def test_an_object_is_named_after_mapping_partition_and_time() -> None:
    key = object_key("esm-1", record(), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert key.startswith("aws/lambda/esm-1/runs-0/2026/01/02/2026-01-02T03.04.05-")


def test_a_destination_is_told_by_its_arn() -> None:
    assert (service_of(BUCKET), bucket_of(BUCKET)) == ("s3", "failed-records")
    assert service_of("arn:aws:sqs:eu-west-1:000000000000:q") == "sqs"
    assert service_of("kafka://topic") == ""


def test_a_mapping_has_lambdas_defaults() -> None:
    mapping = Mapping.of({"UUID": "u", "FunctionArn": FUNCTION, "Topics": ["runs"]})
    assert (mapping.limits, mapping.group) == (BatchLimits(100, 0.5), "u")
    assert (mapping.destination, mapping.patterns, mapping.item_failures) == (None, (), False)


def test_a_mapping_is_read_whole() -> None:
    mapping = Mapping.of(
        {
            "UUID": "u",
            "FunctionArn": FUNCTION,
            "Topics": ["runs"],
            "EventSourceArn": CLUSTER,
            "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "org.slipway"},
            "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}],
            "BatchSize": 5,
            "MaximumBatchingWindowInSeconds": 0,
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "FilterCriteria": {"Filters": [{"Pattern": RUNS}]},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ProvisionedPollerConfig": {"MinimumPollers": 1},
            "DestinationConfig": {"OnFailure": {"Destination": BUCKET}},
        }
    )
    assert mapping.group == "org.slipway"
    assert (mapping.secret, mapping.brokers_members) == (
        SECRET,
        ("BootstrapBrokerStringSaslScram",),
    )
    assert mapping.limits == BatchLimits(5, 0)
    assert mapping.start_at == 1_767_225_600_000
    assert (mapping.patterns, mapping.item_failures) == ((RUNS,), True)
    assert (mapping.destination, mapping.policy) == (BUCKET, RetryPolicy(retries=10))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a JSON object"),
        ("user:password", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}", "has no username"),
        ('{"username": "u"}', "has no password"),
        ('{"username": "u", "password": ""}', "has no password"),
        ('{"username": 1, "password": "p"}', "has no username"),
    ],
)
def test_a_malformed_secret_is_named(text: str, reason: str) -> None:
    with pytest.raises(Problem, match=reason):
        parse(text, SECRET)


def test_a_secret_is_not_shown() -> None:
    with pytest.raises(Problem) as raised:
        parse('{"username": "u", "passwort": "hunter2"}', SECRET)
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(parse('{"username": "u", "password": "hunter2"}', SECRET))
