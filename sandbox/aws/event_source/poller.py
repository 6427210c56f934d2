"""Reads a mapping's topic and keeps its partitions at work: one thread per mapping."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sandbox.aws.event_source import credentials, failures
from sandbox.aws.event_source.collaborators import Aws, CallFailed
from sandbox.aws.event_source.credentials import Credentials
from sandbox.aws.event_source.filters import Decision, Filter
from sandbox.aws.event_source.mapping import Mapping, StartingPosition
from sandbox.aws.event_source.partition import Context, Partition, Timing
from sandbox.aws.event_source.positions import REQUEST_SECONDS, start_positions
from sandbox.aws.event_source.problem import Problem
from sandbox.aws.event_source.records import Record, Source
from sandbox.aws.event_source.status import Count, Status
from sandbox.clock import Clock

LOG = logging.getLogger(__name__)

NOTHING_YET = "No records processed"

_POLL_SECONDS = 0.05

_NO_ANSWER = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
}


class Poller:
    """Polls for one mapping from `start` until `stop`.

    Args:
        mapping: what to poll, and how.
        aws: the AWS calls.
        status: counts what is done.
        report: told each new LastProcessingResult.
        expected: the cluster's user; None if a secret's content does not matter.
        fallback_brokers: used for an MSK cluster whose API names no brokers.
        timing: intervals.
        clock: what windows, ages of records and pauses before retries are measured by.
    """

    def __init__(
        self,
        mapping: Mapping,
        aws: Aws,
        status: Status | None = None,
        report: Callable[[str], None] = lambda _result: None,
        expected: Credentials | None = None,
        fallback_brokers: str = "",
        timing: Timing | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._mapping = mapping
        self._aws = aws
        self._status = status or Status()
        self._report_to = report
        self._result = ""
        self._expected = expected
        self._fallback_brokers = fallback_brokers
        self._timing = timing or Timing()
        self._clock = clock or Clock()
        self._filter = Filter(mapping.patterns)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-{mapping.uuid}", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; returns at once."""
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait until the last invocation has ended; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._poll()
            except Problem as problem:
                self._report(f"PROBLEM: {problem}")
            except KafkaException as error:
                self._report(f"PROBLEM: {_cluster_problem(error.args[0])}")
            except Exception as error:  # the mapping continues when its cause is fixed
                LOG.exception("event source mapping %s", self._mapping.uuid)
                self._report(f"PROBLEM: Internal error: {error}")
            self._stop.wait(self._timing.problem)

    def _report(self, result: str) -> None:
        if result != self._result:
            level = logging.WARNING if result.startswith("PROBLEM") else logging.INFO
            LOG.log(level, "event source mapping %s: %s", self._mapping.uuid, result)
            self._result = result
            self._report_to(result)

    def _poll(self) -> None:
        """Poll until told to stop, or until something is in the way.

        Raises:
            Problem: the source or the destination cannot be used.
            KafkaException: the cluster refused or did not answer.
        """
        source = self._connect()
        settings = self._consumer_settings(source)
        consumer = Consumer(settings)
        # A problem ends this attempt only, and so must not stop the poller.
        stop = threading.Event()
        context = Context(
            self._mapping,
            source,
            self._aws,
            self._status,
            self._timing,
            stop,
            self._report,
            self._clock,
        )
        reader = _Reader(consumer, settings, context, self._filter)
        try:
            reader.find_partitions(self._mapping.start)
            self._report(NOTHING_YET)
            while not self._stop.is_set():
                reader.read()
        finally:
            stop.set()
            try:
                reader.close()
            finally:
                consumer.close()

    def _connect(self) -> Source:
        """Find the cluster, and see whether all that is needed can be used.

        Raises:
            Problem: something cannot.
        """
        mapping = self._mapping
        if mapping.secret:
            credentials.check(self._aws, mapping.secret, self._expected)
        if mapping.destination and failures.service_of(mapping.destination) == "s3":
            try:
                self._aws.check_bucket(failures.bucket_of(mapping.destination))
            except CallFailed as error:
                raise Problem(
                    f"The on-failure destination {mapping.destination} cannot be used: {error}"
                ) from error
        if not mapping.arn:
            return Source(mapping.endpoints)
        try:
            brokers = self._aws.bootstrap_brokers(mapping.arn)
            known = self._aws.scram_secrets(mapping.arn) if mapping.secret else []
        except CallFailed as error:
            raise Problem(f"The cluster {mapping.arn} cannot be described: {error}") from error
        addresses = (brokers[name] for name in mapping.brokers_members if brokers.get(name))
        address = next(addresses, self._fallback_brokers)
        if not address:
            raise Problem(
                f"The cluster {mapping.arn} has no {' or '.join(mapping.brokers_members)}: turn on "
                "the authentication that the mapping uses."
            )
        if mapping.secret and mapping.secret not in known:
            raise Problem(
                f"SASL authentication failed. The secret {mapping.secret} is not associated with "
                f"the cluster {mapping.arn}."
            )
        return Source(address, mapping.arn)

    def _consumer_settings(self, source: Source) -> dict[str, Any]:
        earliest = self._mapping.start is not StartingPosition.LATEST
        return {
            "bootstrap.servers": source.bootstrap_servers,
            "client.id": f"lambda-{self._mapping.uuid}",
            "group.id": self._mapping.group,
            "enable.auto.commit": False,
            # For committed offsets whose records the cluster no longer has.
            "auto.offset.reset": "earliest" if earliest else "latest",
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 16384,
            "logger": LOG.getChild("librdkafka"),
        }


class _Reader:
    """The consumer of one attempt, and its partitions."""

    def __init__(
        self, consumer: Consumer, settings: dict[str, Any], context: Context, filter_: Filter
    ) -> None:
        self._consumer = consumer
        self._settings = settings
        self._context = context
        self._filter = filter_
        self._partitions: dict[int, Partition] = {}
        self._committed: dict[int, int] = {}
        self._paused: set[int] = set()
        self._next_look = 0.0

    def find_partitions(self, start: StartingPosition) -> None:
        """Begin with the partitions that the topic has now and had not at the last look.

        Raises:
            Problem: the topic does not exist (any more).
            KafkaException: the cluster did not answer.
        """
        topic = self._context.mapping.topic
        metadata = self._consumer.list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
        if metadata.error is not None or not metadata.partitions:
            raise Problem(f"The topic {topic} does not exist in the cluster.")
        if self._partitions.keys() - metadata.partitions.keys():
            raise Problem(f"The topic {topic} was recreated.")
        self._next_look = time.monotonic() + self._context.timing.metadata
        new = metadata.partitions.keys() - self._partitions.keys()
        if not new:
            return
        positions = start_positions(
            self._consumer, self._settings, topic, new, start, self._context.mapping.start_at
        )
        self._consumer.incremental_assign(
            [TopicPartition(topic, number, offset) for number, offset in positions.items()]
        )
        for number, offset in positions.items():
            self._partitions[number] = Partition(self._context, number, offset)
            self._committed[number] = offset
            self._partitions[number].start()

    def read(self) -> None:
        """Pass on new records, commit finished ones, and follow changes of partitions.

        Raises:
            Problem: the topic cannot be read.
            KafkaException: the cluster did not answer.
        """
        # `consume` waits for all that it is asked for: so it is asked only for what is there.
        first = self._consumer.poll(_POLL_SECONDS)
        arrived = [] if first is None else [first, *self._consumer.consume(500, timeout=0)]
        for message in arrived:
            if message.error() is not None:
                raise KafkaException(message.error())
            self._take(Record.of(message))
        for partition in self._partitions.values():
            if partition.error:
                raise partition.error
        self._commit()
        self._pause_and_resume()
        if time.monotonic() > self._next_look:
            # A partition that is new now has only records that are newer than the mapping.
            self.find_partitions(StartingPosition.TRIM_HORIZON)

    def close(self) -> None:
        """Wait for running invocations, and commit their records."""
        for partition in self._partitions.values():
            partition.join()
        self._commit()

    def _take(self, record: Record) -> None:
        decision = self._filter.decide(record)
        status = self._context.status
        status.add(Count.POLLED)
        if decision is not Decision.INVOKE:
            status.add(Count.FILTERED)
        if decision is Decision.NOT_JSON:
            status.add(Count.NOT_JSON)
            LOG.info("dropped %s-%d@%d: not JSON", record.topic, record.partition, record.offset)
        self._partitions[record.partition].offer(record, wanted=decision is Decision.INVOKE)

    def _commit(self) -> None:
        positions = {number: one.position for number, one in self._partitions.items()}
        moved = {n: offset for n, offset in positions.items() if offset != self._committed[n]}
        if moved:
            topic = self._context.mapping.topic
            self._consumer.commit(
                offsets=[TopicPartition(topic, n, offset) for n, offset in moved.items()],
                asynchronous=False,
            )
            self._committed |= moved

    def _pause_and_resume(self) -> None:
        topic = self._context.mapping.topic
        full = {number for number, one in self._partitions.items() if one.full}
        if pause := full - self._paused:
            self._consumer.pause([TopicPartition(topic, number) for number in pause])
        if resume := self._paused - full:
            self._consumer.resume([TopicPartition(topic, number) for number in resume])
        self._paused = full


def _cluster_problem(error: KafkaError) -> str:
    reason = f"{error.name()}: {error.str()}"
    if error.code() in _NO_ANSWER:
        return f"Connection error. Check the event source's brokers and their cluster ({reason})."
    return f"The cluster refused a request ({reason})."
