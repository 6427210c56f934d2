"""What an on-failure destination is sent.

Shapes: https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html; S3 gets the whole event
as text in `payload`, SQS and SNS only the metadata. The object's name follows
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html, with the topic and
partition in the shard's place.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sandbox.aws.event_source.collaborators import Aws, CallFailed, Invocation
from sandbox.aws.event_source.records import Record, Source, encode


class Condition(StrEnum):
    """Why records were given up."""

    RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
    TOO_OLD = "RecordAgeExceeded"
    TOO_LARGE = "MaximumPayloadSizeExceeded"


@dataclass(frozen=True)
class Failure:
    """Records of one partition that are given up together.

    Attributes:
        invocations: how often the function has seen them.
        last: its last answer; None if it was never invoked with them.
    """

    records: Sequence[Record]
    condition: Condition
    invocations: int = 0
    last: Invocation | None = None


def invocation_record(
    failure: Failure, function_arn: str, source: Source, now: datetime, *, with_payload: bool
) -> dict[str, Any]:
    """Return the JSON document for a destination.

    Args:
        failure: what failed.
        function_arn: the function as the mapping names it.
        source: the cluster.
        now: the time of giving up.
        with_payload: whether to add the event itself.
    """
    event = encode(source.event(failure.records))
    first, last = failure.records[0], failure.records[-1]
    batch: dict[str, Any] = {"batchSize": len(failure.records)}
    if source.arn:
        batch["eventSourceArn"] = source.arn
    batch |= {
        "bootstrapServers": source.bootstrap_servers,
        "payloadSize": len(event),
        "recordsInfo": {
            f"{first.topic}-{first.partition}": {
                "firstRecordOffset": str(first.offset),
                "lastRecordOffset": str(last.offset),
                "firstRecordTimestamp": _iso(_time(first)),
                "lastRecordTimestamp": _iso(_time(last)),
            }
        },
    }
    document = {
        "requestContext": {
            "requestId": failure.last.request_id if failure.last else str(uuid.uuid4()),
            "functionArn": function_arn,
            "condition": str(failure.condition),
            "approximateInvokeCount": failure.invocations,
        },
        "responseContext": _response_context(failure.last),
        "version": "1.0",
        "timestamp": _iso(now),
        "KafkaBatchInfo": batch,
    }
    if with_payload:
        document["payload"] = event.decode("ascii")
    return document


def _response_context(last: Invocation | None) -> dict[str, Any] | None:
    if last is None:
        return None
    context = {"statusCode": last.status_code, "executedVersion": last.executed_version}
    return context | ({"functionError": last.function_error} if last.function_error else {})


def object_key(mapping_uuid: str, record: Record, now: datetime) -> str:
    """Return the object's name in an S3 destination, for a batch.

    The batch begins with `record`.
    """
    return (
        f"aws/lambda/{mapping_uuid}/{record.topic}-{record.partition}/"
        f"{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    )


def send(
    aws: Aws,
    destination: str,
    failure: Failure,
    mapping_uuid: str,
    function_arn: str,
    source: Source,
) -> None:
    """Send a failure to a destination.

    Args:
        aws: the calls.
        destination: the ARN of a bucket, queue or topic.
        failure: what failed.
        mapping_uuid: the mapping's UUID.
        function_arn: the function as the mapping names it.
        source: the cluster.

    Raises:
        CallFailed: the destination did not take it, or is of a kind that the sandbox does not have.
    """
    now = datetime.now(UTC)
    service = service_of(destination)
    document = encode(
        invocation_record(failure, function_arn, source, now, with_payload=service == "s3")
    )
    if service == "s3":
        key = object_key(mapping_uuid, failure.records[0], now)
        aws.put_object(bucket_of(destination), key, document)
    elif service == "sqs":
        aws.send_message(destination, document.decode("ascii"))
    elif service == "sns":
        aws.publish(destination, document.decode("ascii"))
    else:
        raise CallFailed(f"the sandbox knows no on-failure destination {destination}")


def service_of(destination: str) -> str:
    """Return the service of a destination's ARN; empty for other texts."""
    parts = destination.split(":")
    return parts[2] if len(parts) > 5 else ""


def bucket_of(destination: str) -> str:
    """Return the bucket of an S3 destination's ARN."""
    return destination.split(":", 5)[5]


def _time(record: Record) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
