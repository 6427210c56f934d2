"""Find where a partition's reading begins.

That is the group's committed offset, or the starting position.

The broker's answer for a partition's end, or for a time, can be too early (Tansu's is, see
`sandbox.broker`). So records are read from there up to the first one that qualifies.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, TopicPartition

from sandbox.aws.event_source.mapping import StartingPosition
from sandbox.aws.event_source.problem import Problem
from sandbox.aws.event_source.records import Record

REQUEST_SECONDS = 5.0


def start_positions(
    consumer: Consumer,
    settings: Mapping[str, Any],
    topic: str,
    partitions: Iterable[int],
    start: StartingPosition,
    start_at: int | None,
) -> dict[int, int]:
    """Return the offset at which to begin, for each partition.

    A new position is committed at once. So the group's next poller begins at the same record, even
    if none has been processed by then.

    Args:
        consumer: a member of the group.
        settings: librdkafka's, for a second consumer of the group.
        topic: the topic.
        partitions: the numbers of its partitions.
        start: where a group without committed offset begins.
        start_at: milliseconds since the epoch, for AT_TIMESTAMP.

    Raises:
        KafkaException: the cluster refused or did not answer.
        Problem: the end of a partition was not reached in time.
    """
    asked = [TopicPartition(topic, number) for number in partitions]
    committed = consumer.committed(asked, timeout=REQUEST_SECONDS)
    positions = {one.partition: one.offset for one in committed if one.offset != OFFSET_INVALID}
    missing = [one for one in asked if one.partition not in positions]
    if not missing:
        return positions
    if start is StartingPosition.TRIM_HORIZON:
        found = {
            one.partition: consumer.get_watermark_offsets(one, timeout=REQUEST_SECONDS)[0]
            for one in missing
        }
    elif start is StartingPosition.LATEST:
        ends = [
            TopicPartition(
                topic, one.partition, consumer.get_watermark_offsets(one, REQUEST_SECONDS)[1]
            )
            for one in missing
        ]
        found = _look(settings, ends, lambda _record: False)
    else:
        wanted = start_at or 0
        times = [TopicPartition(topic, one.partition, wanted) for one in missing]
        first = consumer.offsets_for_times(times, timeout=REQUEST_SECONDS)
        found = _look(settings, first, lambda record: record.timestamp >= wanted)
    offsets = [TopicPartition(topic, number, offset) for number, offset in found.items()]
    consumer.commit(offsets=offsets, asynchronous=False)
    return positions | found


def _look(
    settings: Mapping[str, Any], places: list[TopicPartition], qualifies: Callable[[Record], bool]
) -> dict[int, int]:
    """Return the first record from each place on that qualifies, or the partition's end."""
    found: dict[int, int] = {}
    consumer = Consumer({**settings, "enable.partition.eof": True})
    try:
        consumer.assign(places)
        deadline = time.monotonic() + REQUEST_SECONDS
        while len(found) < len(places):
            if time.monotonic() > deadline:
                raise Problem("The end of a partition was not reached: the cluster is too slow.")
            for message in consumer.consume(1000, timeout=0.05):
                error = message.error()
                if error and error.code() != KafkaError._PARTITION_EOF:
                    raise Problem(f"The topic cannot be read: {error.str()}.")
                # At a partition's end, the message has the end's offset.
                if message.partition() not in found and (error or qualifies(Record.of(message))):
                    found[message.partition()] = message.offset()
    finally:
        consumer.close()
    return found
