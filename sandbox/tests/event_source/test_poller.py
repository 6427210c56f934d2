"""The poller on a real broker: what it reads, from where, and what stands in its way."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from sandbox.aws.event_source import poller
from sandbox.aws.event_source.credentials import Credentials
from sandbox.broker import ensure_topics
from sandbox.ports import free_port
from sandbox.tests.event_source.harness import (
    CLUSTER,
    SECRET,
    FakeAws,
    Topic,
    committed,
    polling,
    started,
)
from sandbox.tests.waiting import LIMIT, MovedClock, wait_for

RUNS_ONLY = {"Filters": [{"Pattern": json.dumps({"value": {"resourceType": ["run"]}})}]}
SCRAM = {"SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}]}
USER = Credentials("org_sandbox", "right")


def test_a_record_reaches_the_function_and_is_committed(topic: Topic) -> None:
    topic.send({"n": 1}, key=b"k", headers=[("h", b"\x01")])
    mapping, aws = topic.mapping(), FakeAws()
    with polling(mapping, aws) as running:
        wait_for(lambda: committed(topic, mapping) == 1)
        (event,) = aws.events
        ((name, (record,)),) = event["records"].items()
        assert event["eventSource"] == "SelfManagedKafka"
        assert event["bootstrapServers"] == topic.bootstrap
        assert name == f"{topic.name}-0"
        assert (record["key"], record["headers"]) == ("aw==", [{"h": [1]}])
        assert running.results[-1] == "OK"
        assert running.counts["polled"] == running.counts["invoked"] == 1


def test_an_msk_cluster_is_found_by_its_api(topic: Topic) -> None:
    topic.send({"n": 1})
    aws = FakeAws(brokers={"BootstrapBrokerStringSaslIam": topic.bootstrap})
    with polling(topic.mapping(EventSourceArn=CLUSTER, SelfManagedEventSource=None), aws):
        wait_for(lambda: aws.events)
    assert aws.events[0]["eventSource"] == "aws:kafka"
    assert aws.events[0]["eventSourceArn"] == CLUSTER
    assert aws.events[0]["bootstrapServers"] == topic.bootstrap


def test_msk_cluster_without_the_authentication_is_a_problem(topic: Topic) -> None:
    aws = FakeAws(
        brokers={"BootstrapBrokerStringSaslIam": topic.bootstrap},
        secret='{"username": "u", "password": "p"}',
    )
    with polling(topic.mapping(EventSourceArn=CLUSTER, **SCRAM), aws) as running:
        wait_for(lambda: running.results)
        assert "has no BootstrapBrokerStringSaslScram" in running.results[0]


def test_an_msk_cluster_must_know_the_secret(topic: Topic) -> None:
    aws = FakeAws(
        brokers={"BootstrapBrokerStringSaslScram": topic.bootstrap},
        secret='{"username": "u", "password": "p"}',
    )
    with polling(topic.mapping(EventSourceArn=CLUSTER, **SCRAM), aws) as running:
        wait_for(lambda: running.results)
        assert f"not associated with the cluster {CLUSTER}" in running.results[0]


def test_tombstone_and_empty_value_reach_an_unfiltered_function(topic: Topic) -> None:
    topic.send(None, b"", key=b"k")
    aws = FakeAws()
    with polling(topic.mapping(), aws):
        wait_for(lambda: sum(len(one) for one in aws.seen) == 2)
    records = [one for event in aws.events for one in event["records"][f"{topic.name}-0"]]
    assert ["value" in one for one in records] == [False, True]


def test_a_large_record_reaches_the_function(topic: Topic) -> None:
    topic.send(bytes(1_048_000))
    aws = FakeAws()
    with polling(topic.mapping(), aws):
        wait_for(lambda: aws.events)


def test_a_batch_has_at_most_batch_size_records_in_order(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(10)])
    aws, clock = FakeAws(), MovedClock()
    mapping = topic.mapping(BatchSize=4, MaximumBatchingWindowInSeconds=1)
    with polling(mapping, aws, clock=clock) as running:
        wait_for(lambda: running.counts["polled"] == 10)
        wait_for(lambda: len(aws.events) == 2)
        clock.move(1)
        wait_for(lambda: len(aws.events) == 3)
    assert aws.seen == [
        [(0, 0), (0, 1), (0, 2), (0, 3)],
        [(0, 4), (0, 5), (0, 6), (0, 7)],
        [(0, 8), (0, 9)],
    ]


def test_a_batch_is_at_most_six_megabytes(topic: Topic) -> None:
    topic.send(*[bytes(1_000_000)] * 9)
    aws = FakeAws()
    mapping = topic.mapping(MaximumBatchingWindowInSeconds=30)
    with polling(mapping, aws, clock=MovedClock()):
        wait_for(lambda: len(aws.events) == 2)
    assert [len(one) for one in aws.seen] == [4, 4]


def test_a_window_gathers_what_comes_within_it(topic: Topic) -> None:
    aws, clock = FakeAws(), MovedClock()
    mapping = topic.mapping(MaximumBatchingWindowInSeconds=2)
    with polling(mapping, aws, clock=clock) as running:
        for n in range(3):
            topic.send({"n": n})
            wait_for(lambda n=n: running.counts["polled"] == n + 1)  # type: ignore[misc]
            clock.move(0.5)
        assert not aws.events
        clock.move(0.5)
        wait_for(lambda: aws.events)
    assert aws.seen == [[(0, 0), (0, 1), (0, 2)]]


def test_partitions_are_invoked_separately_and_concurrently(
    broker: str,
) -> None:
    topic = Topic(broker, partitions=2)
    together = threading.Barrier(2, timeout=LIMIT)
    aws = FakeAws(answer=lambda _event: together.wait() * 0)
    topic.send({}, partition=0)
    topic.send({}, partition=1)
    with polling(topic.mapping(), aws):
        wait_for(lambda: len(aws.events) == 2)
    assert sorted(aws.seen) == [[(0, 0)], [(1, 0)]]


def test_a_partition_has_one_invocation_at_a_time(topic: Topic) -> None:
    busy, most = [0], [0]

    def function(_event: Mapping[str, Any]) -> None:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        threading.Event().wait(0.01)
        busy[0] -= 1

    topic.send(*[{"n": n} for n in range(10)])
    aws = FakeAws(answer=function)
    with polling(topic.mapping(BatchSize=1), aws):
        wait_for(lambda: len(aws.events) == 10)
    assert most == [1]
    assert aws.seen == [[(0, n)] for n in range(10)]


def test_more_records_than_are_held_all_arrive(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(2000)])
    mapping, aws = topic.mapping(BatchSize=3), FakeAws()
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 2000)
    assert [offset for one in aws.seen for _, offset in one] == list(range(2000))


def test_filtered_records_are_counted_and_committed(topic: Topic) -> None:
    topic.send({"resourceType": "entity"}, b"not json", b"\xff", None)
    mapping, aws = topic.mapping(FilterCriteria=RUNS_ONLY), FakeAws()
    with polling(mapping, aws) as running:
        wait_for(lambda: committed(topic, mapping) == 4)
        assert running.counts["filtered"] == 4
        assert running.counts["notJson"] == 2
    assert not aws.events


def test_only_matching_records_fill_a_batch(topic: Topic) -> None:
    run = {"resourceType": "run"}
    topic.send(run, b"?", run, {"resourceType": "entity"}, run)
    mapping = topic.mapping(
        FilterCriteria=RUNS_ONLY, BatchSize=3, MaximumBatchingWindowInSeconds=300
    )
    aws = FakeAws()
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 5)
    assert aws.seen == [[(0, 0), (0, 2), (0, 4)]]


def test_latest_begins_after_what_is_there(topic: Topic) -> None:
    topic.send(b"1")
    topic.send(*[b"old"] * 5)
    mapping, aws = topic.mapping(StartingPosition="LATEST"), FakeAws()
    with polling(mapping, aws) as running:
        wait_for(lambda: started(running))
        topic.send(b"new")
        wait_for(lambda: aws.events)
    assert aws.seen == [[(0, 6)]]


def test_latest_holds_its_first_position_over_a_restart(topic: Topic) -> None:
    mapping, aws = topic.mapping(StartingPosition="LATEST"), FakeAws()
    with polling(mapping, aws) as running:
        wait_for(lambda: started(running))
    topic.send(b"while nobody polled")
    with polling(mapping, aws):
        wait_for(lambda: aws.events)
    assert aws.seen == [[(0, 0)]]


def test_at_timestamp_begins_with_the_first_record_not_older(topic: Topic) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for second in (-2, -1, 0, 1):
        topic.send(b"x", timestamp=round((moment.timestamp() + second) * 1000))
    mapping, aws = topic.mapping(
        StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment, BatchSize=1
    ), FakeAws()  # fmt: skip
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 4)
    assert aws.seen == [[(0, 2)], [(0, 3)]]


@pytest.mark.parametrize("position", ["TRIM_HORIZON", "LATEST"])
def test_a_committed_offset_goes_before_the_starting_position(topic: Topic, position: str) -> None:
    topic.send(*[b"x"] * 4)
    group = {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": f"org.{topic.name}"}}
    consumer = Consumer({"bootstrap.servers": topic.bootstrap, "group.id": f"org.{topic.name}"})
    consumer.commit(offsets=[TopicPartition(topic.name, 0, 3)], asynchronous=False)
    consumer.close()
    aws = FakeAws()
    with polling(topic.mapping(StartingPosition=position, **group), aws):
        wait_for(lambda: aws.events)
    assert aws.seen == [[(0, 3)]]


def test_each_group_gets_every_record(topic: Topic) -> None:
    one, other = FakeAws(), FakeAws()
    with polling(topic.mapping(), one), polling(topic.mapping(), other):
        topic.send(b"x")
        wait_for(lambda: one.events and other.events)


def test_later_partitions_are_read_from_their_beginning(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a topic that grows, as Tansu's cannot: the second partition is hidden at first."""
    topic = Topic(broker, partitions=2)
    grown = threading.Event()

    class GrowingConsumer(Consumer):  # type: ignore[misc]  # untyped base
        def list_topics(self, *arguments: Any, **options: Any) -> Any:
            metadata = super().list_topics(*arguments, **options)
            if not grown.is_set():
                del metadata.topics[topic.name].partitions[1]
            return metadata

    monkeypatch.setattr(poller, "Consumer", GrowingConsumer)
    mapping, aws = topic.mapping(StartingPosition="LATEST"), FakeAws()
    with polling(mapping, aws) as running:
        wait_for(lambda: started(running))
        topic.send(b"1", partition=1)
        topic.send(b"2", partition=0)
        wait_for(lambda: aws.events)
        assert aws.seen == [[(0, 0)]]
        grown.set()
        wait_for(lambda: committed(topic, mapping, 1) == 1)
    assert aws.seen == [[(0, 0)], [(1, 0)]]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (None, "cannot be read: ResourceNotFoundException"),
        ("password", "is not a JSON object"),
        ('{"username": "org_sandbox"}', "has no password"),
        ('{"username": "org_sandbox", "password": "wrong"}', "SASL authentication failed"),
        ('{"username": "other", "password": "right"}', "SASL authentication failed"),
    ],
)
def test_a_bad_secret_is_a_problem_until_it_is_mended(
    topic: Topic, secret: str | None, reason: str
) -> None:
    topic.send(b"1")
    aws = FakeAws(secret=secret)
    with polling(topic.mapping(**SCRAM), aws, USER) as running:
        wait_for(lambda: running.results)
        assert running.results[0].startswith("PROBLEM: ")
        assert reason in running.results[0]
        assert SECRET in running.results[0]
        assert not aws.events
        aws.secret = '{"username": "org_sandbox", "password": "right"}'
        wait_for(lambda: running.results[-1] == "OK")


def test_a_missing_topic_is_a_problem_until_it_is_made(broker: str) -> None:
    absent = Topic(broker, partitions=0)
    with polling(absent.mapping(), FakeAws()) as running:
        wait_for(lambda: running.results)
        assert running.results == [
            f"PROBLEM: The topic {absent.name} does not exist in the cluster."
        ]
        ensure_topics(broker, {absent.name: 1})
        wait_for(lambda: started(running))


@pytest.mark.waits
def test_a_cluster_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "REQUEST_SECONDS", 0.5)
    absent = Topic(f"127.0.0.1:{free_port()}", partitions=0)
    with polling(absent.mapping(), FakeAws()) as running:
        wait_for(lambda: running.results)
        assert running.results[0].startswith("PROBLEM: Connection error.")


def test_event_source_fault_is_a_problem_and_polling_continues(topic: Topic) -> None:
    topic.send(b"1")
    faults = iter([ZeroDivisionError("oops")])

    def function(_event: Mapping[str, Any]) -> None:
        if fault := next(faults, None):
            raise fault

    with polling(topic.mapping(), FakeAws(answer=function)) as running:
        wait_for(lambda: running.results and running.results[-1] == "OK")
        assert "PROBLEM: Internal error: oops" in running.results
