"""Kafka records and the event in which Lambda hands them to a function.

Shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

_TIMESTAMP_TYPES = {
    TIMESTAMP_CREATE_TIME: "CREATE_TIME",
    TIMESTAMP_LOG_APPEND_TIME: "LOG_APPEND_TIME",
}


@dataclass(frozen=True)
class Record:
    """One record of a topic.

    Attributes:
        timestamp: milliseconds since the epoch.
        value: None for a tombstone.
        headers: in the producer's order; a name may occur more than once.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_type: str = "CREATE_TIME"

    @classmethod
    def of(cls, message: Message) -> "Record":
        """Return the record in a message that a consumer got."""
        kind, timestamp = message.timestamp()
        return cls(
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            timestamp=timestamp,
            value=message.value(),
            key=message.key(),
            headers=tuple(message.headers() or ()),
            timestamp_type=_TIMESTAMP_TYPES.get(kind, "NO_TIMESTAMP_TYPE"),
        )

    def event(self) -> dict[str, Any]:
        """Return the record as an element of the event; a key or value that is null is left out."""
        event: dict[str, Any] = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "timestamp": self.timestamp,
            "timestampType": self.timestamp_type,
        }
        if self.key is not None:
            event["key"] = base64.b64encode(self.key).decode("ascii")
        if self.value is not None:
            event["value"] = base64.b64encode(self.value).decode("ascii")
        # Java's bytes are signed, and so are the numbers in Lambda's events.
        event["headers"] = [
            {name: [byte - 256 if byte > 127 else byte for byte in value or b""]}
            for name, value in self.headers
        ]
        return event

    @cached_property
    def size(self) -> int:
        """Bytes of the record in the encoded event."""
        return len(encode(self.event()))


@dataclass(frozen=True)
class Source:
    """The cluster, as the event names it.

    Attributes:
        bootstrap_servers: `host:port`, several separated by commas.
        arn: the MSK cluster's; None for a self-managed cluster.
    """

    bootstrap_servers: str
    arn: str | None = None

    def event(self, records: Sequence[Record]) -> dict[str, Any]:
        """Return the event of one invocation."""
        by_partition: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            name = f"{record.topic}-{record.partition}"
            by_partition.setdefault(name, []).append(record.event())
        if self.arn:
            head = {"eventSource": "aws:kafka", "eventSourceArn": self.arn}
        else:
            head = {"eventSource": "SelfManagedKafka"}
        return {**head, "bootstrapServers": self.bootstrap_servers, "records": by_partition}

    def overhead(self, topic: str, partition: int) -> int:
        """Bytes of an encoded event of one partition without its records."""
        head = {**self.event([]), "records": {f"{topic}-{partition}": []}}
        return len(encode(head))


def encode(event: object) -> bytes:
    """JSON as it is sent: ASCII, without blanks."""
    return json.dumps(event, separators=(",", ":")).encode("ascii")
