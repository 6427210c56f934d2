"""Find permanently failed records in the bucket, read and archive them.

They come from event source mappings, under keys that Lambda chooses, and from `deliver_later`, from
dead-letter queues and from doorbells that failed:
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from slipway import aws
from slipway.errors import SkippedMessage
from slipway.kafka import KafkaRecord, records_of
from slipway.port.message import identify, run_ended

_BY_LAMBDA, _HELD = "aws/lambda/", "held/"
Fate = Literal["replayed", "discarded"]


@dataclass(frozen=True)
class Place:
    """Place and time of a failed record."""

    key: str
    failed_at: datetime

    @property
    def reference(self) -> str:
        """Its short, stable name for people."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Subject:
    """The subject of a record.

    Attributes:
        run_id: the run.
        notice: whether it is only a notification of this run's end.
    """

    run_id: str
    notice: bool = False


@dataclass(frozen=True)
class FailedRecord:
    """A failed record, or several of one batch.

    Attributes:
        place: its place.
        version: of the object.
        event: the function's event; None: the object is not a failed record.
        function_name: the function; None: see the run's row of the ledger.
        why: the stored reason of the failure, if any.
    """

    place: Place
    version: str
    event: dict[str, Any] | None
    function_name: str | None
    why: str

    @property
    def records(self) -> list[KafkaRecord]:
        """The Kafka records."""
        return list(records_of(self.event)) if self.event else []

    @property
    def subjects(self) -> list[Subject]:
        """The runs that the records are about: none for changes of entities."""
        found = (subject_of(record) for record in self.records)
        return list(dict.fromkeys(subject for subject in found if subject))

    def without(self, run_ids: Collection[str]) -> "FailedRecord":
        """Return it without the records of these runs; notifications stay."""
        done = {Subject(run_id) for run_id in run_ids}
        left: dict[str, list[dict[str, Any]]] = {}
        for record in self.records:
            if subject_of(record) not in done:
                left.setdefault(record.partition, []).append(record.raw)
        return replace(self, event={**(self.event or {}), "records": left})


def subject_of(record: KafkaRecord) -> Subject | None:
    """Return the subject of a Kafka record; None if it is not a run."""
    try:
        if ended := run_ended(record.value):
            return Subject(ended.run_id, notice=True)
        return Subject(identify(record.value, workflows=True))
    except SkippedMessage:
        return None


class FailedRecords:
    """The failed records of the records bucket.

    The caller needs `s3:ListBucket` on the prefixes of failed records: without it S3 answers 403,
    not 404, for a record that was put away.

    Args:
        bucket: its name.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def places(self) -> Iterator[Place]:
        """List the failed records, without reading them."""
        pages = aws.s3().get_paginator("list_objects_v2")
        for prefix in (_BY_LAMBDA, _HELD):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    yield Place(item["Key"], item["LastModified"])

    def read(self, place: Place) -> FailedRecord | None:
        """Read a failed record; None if it was just archived."""
        client = aws.s3()
        try:
            answer = client.get_object(Bucket=self._bucket, Key=place.key)
        except client.exceptions.NoSuchKey:
            return None
        version = answer.get("VersionId", "null")
        event, function_name, why = _parse(place.key, answer["Body"].read())
        return FailedRecord(place, version, event, function_name, why)

    def put_away(self, record: FailedRecord, fate: Fate) -> None:
        """Move a record to the archive: exactly the version that was read."""
        key = record.place.key
        source = f"{self._bucket}/{quote(key)}?versionId={record.version}"
        client = aws.s3()
        try:
            client.copy_object(Bucket=self._bucket, Key=f"archive/{fate}/{key}", CopySource=source)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion"}:
                raise
            return  # Another caller was faster.
        client.delete_object(Bucket=self._bucket, Key=key, VersionId=record.version)


def _parse(key: str, body: bytes) -> tuple[dict[str, Any] | None, str | None, str]:
    try:
        document = json.loads(body)
        if not key.startswith(_BY_LAMBDA):
            event = _checked(_event_of(document))
            # A message of a queue, or a doorbell, says whose it was.
            if name := document.get("function_name"):
                return event, str(name), "it failed"
            return event, None, "its delayed delivery failed"
        return _of_lambda(document)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return None, None, f"this object is not a failed record ({type(error).__name__})"


def _event_of(record: dict[str, Any]) -> dict[str, Any]:
    partition = f"{record['topic']}-{record['partition']}"
    return {"eventSource": "SelfManagedKafka", "records": {partition: [record]}}


def _of_lambda(document: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
    """Read Lambda's object: the invocation, and in `payload` its event."""
    payload, context = document["payload"], document["requestContext"]
    event = json.loads(payload) if isinstance(payload, str) else payload
    function_name = str(context["functionArn"]).split(":")[6]
    tries = f" after {context['approximateInvokeCount']} invocations"
    return _checked(event), function_name, f"{context['condition']}{tries}"


def _checked(event: dict[str, Any]) -> dict[str, Any]:
    """Check that the event's records can be read."""
    list(records_of(event))
    return event
