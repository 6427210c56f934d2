"""A poller on a real broker, whose AWS calls are answered here."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from hypothesis import strategies as st

from sandbox.aws.event_source.collaborators import CallFailed, Invocation
from sandbox.aws.event_source.credentials import Credentials
from sandbox.aws.event_source.mapping import Mapping as EventSourceMapping
from sandbox.aws.event_source.partition import Timing
from sandbox.aws.event_source.poller import Poller
from sandbox.aws.event_source.records import Record
from sandbox.aws.event_source.status import Status
from sandbox.broker import MESSAGE_MAX_BYTES, ensure_topics
from sandbox.tests.waiting import LIMIT

QUICK = Timing(first_retry=0.005, longest_retry=0.02, metadata=0.2, problem=0.05)
CLUSTER = "arn:aws:kafka:eu-west-1:000000000000:cluster/demo/11111111-2222-3333-4444-555555555555-1"
FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:create_service:live"
SECRET = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:kafka-abc"
BUCKET = "arn:aws:s3:::failed-records"

Answer = Callable[[dict[str, Any]], Any]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class FunctionError(Exception):
    """Raised by a fake function: Lambda answers with a FunctionError."""


class Unreachable(Exception):
    """Raised by a fake function: Lambda's API itself refuses."""


def record(offset: int = 0, value: bytes | None = b"{}", **fields: Any) -> Record:
    defaults = {"topic": "runs", "partition": 0, "timestamp": 1_700_000_000_000}
    return Record(**{**defaults, "offset": offset, "value": value, **fields})


def batch(*offsets: int) -> tuple[Record, ...]:
    """Records of one partition, by their offsets."""
    return tuple(record(offset) for offset in offsets)


def offsets(event: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Partition and offset of each record of an event, in its order."""
    return [
        (one["partition"], one["offset"])
        for records in event["records"].values()
        for one in records
    ]


@dataclass
class FakeAws:
    """Keeps what it is called with; `answer` is the function."""

    answer: Answer = lambda _event: None
    secret: str | None = None
    brokers: dict[str, str] = field(default_factory=dict)
    associated: list[str] = field(default_factory=list)
    broken_destinations: int = 0
    missing_bucket: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def invoke(self, event: bytes) -> Invocation:
        parsed = json.loads(event)
        self.events.append(parsed)
        try:
            payload = json.dumps(self.answer(parsed)).encode()
        except FunctionError as error:
            return Invocation(json.dumps({"errorMessage": str(error)}).encode(), "request-1",
                              executed_version="3", function_error="Unhandled")  # fmt: skip
        except Unreachable as error:
            raise CallFailed(str(error)) from error
        return Invocation(payload, "request-1", executed_version="3")

    def read_secret(self, arn: str) -> str:
        assert arn == SECRET
        if self.secret is None:
            raise CallFailed("ResourceNotFoundException")
        return self.secret

    def bootstrap_brokers(self, cluster_arn: str) -> Mapping[str, str]:
        assert cluster_arn == CLUSTER
        return self.brokers

    def scram_secrets(self, cluster_arn: str) -> list[str]:
        assert cluster_arn == CLUSTER
        return self.associated

    def check_bucket(self, bucket: str) -> None:
        if self.missing_bucket:
            raise CallFailed(f"no bucket {bucket}")

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        self._fail_sometimes()
        self.objects[f"{bucket}/{key}"] = json.loads(body)

    def send_message(self, queue_arn: str, body: str) -> None:
        self._fail_sometimes()
        self.messages.append((queue_arn, json.loads(body)))

    def publish(self, topic_arn: str, body: str) -> None:
        self.send_message(topic_arn, body)

    def _fail_sometimes(self) -> None:
        if self.broken_destinations:
            self.broken_destinations -= 1
            raise CallFailed("ServiceUnavailable")

    @property
    def seen(self) -> list[list[tuple[int, int]]]:
        """Partition and offset of the records of each invocation."""
        return [offsets(event) for event in list(self.events)]


class Topic:
    """A topic of its own for each test; without partitions it is only a name."""

    def __init__(self, bootstrap: str, partitions: int = 1) -> None:
        self.bootstrap = bootstrap
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        if partitions:
            ensure_topics(bootstrap, {self.name: partitions})
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 0,
                "message.max.bytes": MESSAGE_MAX_BYTES,
                "log_level": 0,
            }
        )

    def send(
        self, *values: bytes | str | dict[str, Any] | None, partition: int = 0, **more: Any
    ) -> None:
        """Write records; an object is sent as JSON."""
        failures: list[Any] = []

        def note(error: Any, _message: Any) -> None:
            if error:
                failures.append(error)

        for value in values:
            data = json.dumps(value) if isinstance(value, dict) else value
            self._producer.produce(self.name, data, partition=partition, on_delivery=note, **more)
        assert self._producer.flush(LIMIT) == 0
        assert not failures

    def mapping(self, **configuration: Any) -> EventSourceMapping:
        """A self-managed mapping of this topic that does not wait for a window."""
        return EventSourceMapping.of(
            {
                "UUID": str(uuid.uuid4()),
                "FunctionArn": FUNCTION,
                "Topics": [self.name],
                "SelfManagedEventSource": {
                    "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [self.bootstrap]}
                },
                "StartingPosition": "TRIM_HORIZON",
                "MaximumBatchingWindowInSeconds": 0,
                **configuration,
            }
        )


@dataclass
class Polling:
    """A poller at work."""

    poller: Poller
    status: Status
    results: list[str]

    @property
    def counts(self) -> dict[str, int]:
        return self.status.counts()

    def end(self) -> None:
        self.poller.stop()
        assert self.poller.join(LIMIT)


@contextmanager
def polling(
    mapping: EventSourceMapping, aws: FakeAws, expected: Credentials | None = None, **options: Any
) -> Iterator[Polling]:
    """Poll as long as the block lasts."""
    status, results = Status(), list[str]()
    poller = Poller(mapping, aws, status, results.append, expected, timing=QUICK, **options)
    poller.start()
    running = Polling(poller, status, results)
    try:
        yield running
    finally:
        running.end()


def started(running: Polling) -> bool:
    """Whether the poller has found its position in each partition."""
    return bool(running.results) and not running.results[-1].startswith("PROBLEM")


def committed(topic: Topic, mapping: EventSourceMapping, partition: int = 0) -> int:
    """The offset that the mapping's group has committed."""
    consumer = Consumer({"bootstrap.servers": topic.bootstrap, "group.id": mapping.group})
    (found,) = consumer.committed([TopicPartition(topic.name, partition)], timeout=LIMIT)
    consumer.close()
    return int(found.offset)
