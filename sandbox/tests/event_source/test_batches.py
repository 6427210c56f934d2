"""Events, the batches that become one, and the position that may be committed."""

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.event_source.batching import BatchLimits, batch_length
from sandbox.aws.event_source.progress import Progress
from sandbox.aws.event_source.records import Record, Source, encode
from sandbox.tests.event_source.harness import (
    CLUSTER,
    record,
)

MSK = Source("b-1:9098,b-2:9098", CLUSTER)
SELF_MANAGED = Source("b-1:9196")


contents = st.none() | st.binary(max_size=40)
records = st.builds(
    Record,
    topic=st.just("org.runs"),
    partition=st.integers(0, 3),
    offset=st.integers(0, 10_000),
    timestamp=st.integers(0, 2_000_000_000_000),
    value=contents,
    key=contents,
    headers=st.lists(st.tuples(st.text(max_size=5), contents), max_size=3).map(tuple),
)


def test_an_event_of_msk_has_the_clusters_arn() -> None:
    one = record(15, b"Hello", key=b"k", headers=(("h", b"abc"),), timestamp=1_545_084_650_987)
    assert MSK.event([one]) == {
        "eventSource": "aws:kafka",
        "eventSourceArn": CLUSTER,
        "bootstrapServers": "b-1:9098,b-2:9098",
        "records": {
            "runs-0": [
                {
                    "topic": "runs",
                    "partition": 0,
                    "offset": 15,
                    "timestamp": 1_545_084_650_987,
                    "timestampType": "CREATE_TIME",
                    "key": "aw==",
                    "value": "SGVsbG8=",
                    "headers": [{"h": [97, 98, 99]}],
                }
            ]
        },
    }


def test_an_event_of_a_self_managed_cluster_has_no_arn() -> None:
    event = SELF_MANAGED.event([record()])
    assert event["eventSource"] == "SelfManagedKafka"
    assert "eventSourceArn" not in event


def test_a_null_key_and_a_tombstones_value_are_left_out() -> None:
    event = record(value=None).event()
    assert event.keys() == {
        "topic", "partition", "offset", "timestamp", "timestampType", "headers"
    }  # fmt: skip


def test_an_empty_value_is_not_a_tombstone() -> None:
    assert record(value=b"").event()["value"] == ""


def test_header_bytes_are_signed() -> None:
    assert record(headers=(("h", b"\x7f\x80\xff"),)).event()["headers"] == [{"h": [127, -128, -1]}]


@given(records)
def test_a_record_survives_its_event(one: Record) -> None:
    event = json.loads(encode(one.event()))
    assert base64.b64decode(event.get("value", "")) == (one.value or b"")
    assert base64.b64decode(event.get("key", "")) == (one.key or b"")
    assert [bytes(byte % 256 for byte in next(iter(h.values()))) for h in event["headers"]] == [
        value or b"" for _, value in one.headers
    ]


@given(st.lists(records, min_size=1, max_size=12), st.integers(1, 12), st.integers(1, 2000))
def test_a_batch_passes_neither_limit_and_leaves_no_room(
    waiting: list[Record], most: int, payload: int
) -> None:
    waiting = [Record(**{**vars(one), "partition": 0}) for one in waiting]
    limits = BatchLimits(most, 0.5, payload)
    overhead = MSK.overhead("org.runs", 0)
    count, full = batch_length((one.size for one in waiting), overhead, limits)

    def size(length: int) -> int:
        return len(encode(MSK.event(waiting[:length])))

    assert 1 <= count <= most
    assert size(count) <= payload or count == 1
    if full:
        assert count == most or size(count) > payload or size(count + 1) > payload
    else:
        assert count == len(waiting)


def test_no_record_is_no_batch() -> None:
    assert batch_length([], 10, BatchLimits(1, 0)) == (0, False)


@given(st.lists(st.booleans(), max_size=30), st.randoms())
def test_the_position_never_passes_an_unfinished_record(wanted: list[bool], random: Any) -> None:
    progress = Progress(5)
    unfinished = set[int]()
    for offset, one in enumerate(wanted, start=5):
        progress.read(offset, finished=not one)
        if one:
            unfinished.add(offset)
    order = list(unfinished)
    random.shuffle(order)
    for offset in order:
        assert progress.position == min(unfinished)
        progress.finish([offset])
        unfinished.remove(offset)
    assert progress.position == 5 + len(wanted)
