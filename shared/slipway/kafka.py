"""Read Kafka records in batches, as event sources deliver them.

A batch is answered as a whole. A further event source is one more `Batch`, which converts its
records to the form of Kafka's, and has its own answer.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, Self

from slipway.errors import ForeignMessage, RecordsFailed
from slipway.observability import logger, mask

Event = dict[str, Any]
Outcome = Literal["done", "later", "skipped", "rejected", "failed"]
# `first`: by an event source. `later`: by the `deliver_later` machine. `replay`: by an operator.
Delivery = Literal["first", "later", "replay"]
# `topic`: of Kafka. `webhook`: of a queue behind the webhook. `doorbell`: made by this function.
Source = Literal["topic", "webhook", "doorbell"]
# The key that marks an event which an operator replays.
REPLAY = "replay"
_NAMED = 3  # failed records in the text of the error


@dataclass(frozen=True)
class KafkaRecord:
    """A record of a topic, or in the shape of one.

    Attributes:
        raw: the record as Lambda gives it, with its value in base64; also stored in this form.
        partition: topic and partition, for example `org.runs-0`.
        offset: its place in the partition.
        timestamp_ms: since 1970, chosen by the producer; 0 or less: it has no time.
        source: where it comes from; stored in `raw`, which a topic's producer cannot write.
    """

    raw: dict[str, Any]
    partition: str
    offset: int
    timestamp_ms: int = 0
    source: Source = "topic"

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Self:
        """Read a record as Lambda gives it."""
        partition = f"{raw['topic']}-{raw['partition']}"
        source = raw.get("source", "topic")
        return cls(raw, partition, int(raw["offset"]), int(raw["timestamp"]), source)

    @property
    def place(self) -> str:
        """Its position, for example `org.runs-0@12`."""
        return f"{self.partition}@{self.offset}"

    @property
    def must_be_verified(self) -> bool:
        """Whether its signature was not verified before it came here."""
        return self.source == "topic"

    @property
    def is_tombstone(self) -> bool:
        """Whether it has no value."""
        return not self.raw.get("value")

    @cached_property
    def published_at(self) -> datetime:
        """Its timestamp.

        Raises:
            ForeignMessage: it is not a time.
        """
        try:
            return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            raise ForeignMessage("The record's timestamp is not a time.") from None

    @property
    def text(self) -> str:
        """The text of its value, which signatures cover.

        Raises:
            ForeignMessage: as for `value`.
        """
        return self._parsed[0]

    @property
    def value(self) -> Any:
        """The JSON of its value.

        Raises:
            ForeignMessage: no value (a tombstone), not UTF-8, not JSON, or too deeply nested.
        """
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[str, Any]:
        try:
            text = base64.b64decode(self.raw.get("value") or "", validate=True).decode()
            return text, json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ForeignMessage(f"The record is not JSON ({type(error).__name__}).") from None

    def with_value(self, value: object) -> "KafkaRecord":
        """Return the record with another value."""
        encoded = base64.b64encode(json.dumps(value).encode()).decode()
        return replace(self, raw={**self.raw, "value": encoded})


@dataclass(frozen=True)
class RecordOutcome:
    """The outcome of a record.

    Attributes:
        record: the record.
        outcome: an identifier.
        why: empty if it is done.
        error: what failed.
    """

    record: KafkaRecord
    outcome: Outcome
    why: str = ""
    error: Exception | None = None

    @classmethod
    def failed(cls, record: KafkaRecord, error: Exception) -> Self:
        """Return the outcome of a record that failed with an error."""
        return cls(record, "failed", mask(f"{type(error).__name__}: {error}"), error)

    def shown(self) -> dict[str, str]:
        """Return it for logs and operators."""
        return {"record": self.record.place, "outcome": self.outcome, "why": self.why}


class Batch(Protocol):
    """The records of one invocation."""

    delivery: ClassVar[Delivery]

    def records(self) -> Sequence[KafkaRecord]:
        """Return the records in their order."""

    def response(self, outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
        """Return the function's answer.

        Args:
            outcomes: of the records; completed ones may be left out.

        Raises:
            Exception: the invocation must fail, so that its records are delivered again.
        """


class KafkaBatch:
    """Records of an event source mapping.

    An on-demand mapping treats any answer as success, so only an error makes it retry the batch.
    Completed records are then repeated, which is harmless. A provisioned mapping reads which
    records failed.
    https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html

    Args:
        event: of MSK or of self-managed Kafka.
        partial_response: whether the mapping reads which records failed.
    """

    delivery: ClassVar[Delivery] = "first"

    def __init__(self, event: Event, *, partial_response: bool) -> None:
        self._records = list(records_of(event))
        self._partial_response = partial_response

    def records(self) -> Sequence[KafkaRecord]:
        """Return the records in their order."""
        return self._records

    def response(self, outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
        """Return a partial batch response.

        Raises:
            RecordsFailed: the mapping must retry the whole batch.
        """
        failed = _failed(outcomes)
        if not failed:
            return _partial_response(failed)
        logger.error("Records failed", extra={"failed": [each.shown() for each in failed]})
        if self._partial_response and len(failed) < len(self._records):
            return _partial_response(failed)
        named = "; ".join(f"{each.record.place}: {each.why}" for each in failed[:_NAMED])
        raise RecordsFailed(f"{len(failed)} of {len(self._records)} records failed. {named}")


class ReplayedBatch:
    """Records that an operator replays with `scripts/replay`.

    Args:
        event: as the function received it before.
    """

    delivery: ClassVar[Delivery] = "replay"

    def __init__(self, event: Event) -> None:
        self._records = list(records_of(event))

    def records(self) -> Sequence[KafkaRecord]:
        """Return the records in their order."""
        return self._records

    def response(self, outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
        """Return the outcomes, for the operator to read."""
        replayed = [each.shown() for each in outcomes]
        return {**_partial_response(_failed(outcomes)), "replayed": replayed}


def batch_of(event: Event, *, partial_response: bool) -> Batch:
    """Return the batch of an event.

    Args:
        event: of an event source mapping, or with `"replay": true` of an operator.
        partial_response: whether the mapping reads which records failed.
    """
    if event.get(REPLAY):
        return ReplayedBatch(event)
    return KafkaBatch(event, partial_response=partial_response)


def records_of(event: Event) -> Iterator[KafkaRecord]:
    """Read the records of an event of Kafka."""
    for records in event["records"].values():
        yield from map(KafkaRecord.read, records)


def _failed(outcomes: Sequence[RecordOutcome]) -> list[RecordOutcome]:
    return [each for each in outcomes if each.outcome == "failed"]


def _partial_response(failed: Sequence[RecordOutcome]) -> dict[str, Any]:
    return {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": each.record.partition, "offset": each.record.offset}}
            for each in failed
        ]
    }
