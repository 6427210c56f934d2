"""The poller on a real broker, with a function that is a Python callable."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from sandbox.aws.event_source import poller
from sandbox.aws.event_source.credentials import Credentials
from sandbox.aws.event_source.mapping import Mapping as EventSourceMapping
from sandbox.broker import ensure_topics
from sandbox.tests.event_source.conftest import free_port
from sandbox.tests.event_source.harness import (
    BUCKET,
    CLUSTER,
    FUNCTION,
    SECRET,
    FakeAws,
    FunctionError,
    Topic,
    Unreachable,
    polling,
    started,
    until,
)

RUNS_ONLY = {"Filters": [{"Pattern": json.dumps({"value": {"resourceType": ["run"]}})}]}
PROVISIONED = {"ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 2}}
PARTIAL = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
TO_BUCKET = {"DestinationConfig": {"OnFailure": {"Destination": BUCKET}}}
SCRAM = {"SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}]}
USER = Credentials("org_sandbox", "right")


@pytest.fixture
def topic(broker: str) -> Topic:
    return Topic(broker)


def committed(topic: Topic, mapping: EventSourceMapping, partition: int = 0) -> int:
    consumer = Consumer({"bootstrap.servers": topic.bootstrap, "group.id": mapping.group})
    (found,) = consumer.committed([TopicPartition(topic.name, partition)], timeout=5)
    consumer.close()
    return int(found.offset)


def always_failing(_event: Mapping[str, Any]) -> None:
    raise FunctionError("no")


def failing_on(*offsets: int) -> Any:
    """A function that fails as a whole when the batch has one of these offsets."""

    def function(event: Mapping[str, Any]) -> None:
        (records,) = event["records"].values()
        if {one["offset"] for one in records} & set(offsets):
            raise FunctionError("poison")

    return function


def item_failures(topic: Topic, *offsets: int) -> dict[str, Any]:
    return {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": f"{topic.name}-0", "offset": offset}}
            for offset in offsets
        ]
    }


# Delivery


def test_a_record_reaches_the_function_and_is_committed(topic: Topic) -> None:
    topic.send({"n": 1}, key=b"k", headers=[("h", b"\x01")])
    mapping, aws = topic.mapping(), FakeAws()
    with polling(mapping, aws) as running:
        until(lambda: committed(topic, mapping) == 1)
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
        until(lambda: aws.events)
    assert aws.events[0]["eventSource"] == "aws:kafka"
    assert aws.events[0]["eventSourceArn"] == CLUSTER
    assert aws.events[0]["bootstrapServers"] == topic.bootstrap


def test_an_msk_cluster_without_the_wanted_authentication_is_a_problem(topic: Topic) -> None:
    aws = FakeAws(
        brokers={"BootstrapBrokerStringSaslIam": topic.bootstrap},
        secret='{"username": "u", "password": "p"}',
    )
    with polling(topic.mapping(EventSourceArn=CLUSTER, **SCRAM), aws) as running:
        until(lambda: running.results)
        assert "has no BootstrapBrokerStringSaslScram" in running.results[0]


def test_a_tombstone_and_an_empty_value_reach_a_function_without_filter(topic: Topic) -> None:
    topic.send(None, b"", key=b"k")
    aws = FakeAws()
    with polling(topic.mapping(), aws):
        until(lambda: sum(len(one) for one in aws.seen) == 2)
    records = [one for event in aws.events for one in event["records"][f"{topic.name}-0"]]
    assert ["value" in one for one in records] == [False, True]


def test_a_large_record_reaches_the_function(topic: Topic) -> None:
    topic.send(bytes(1_048_000))
    aws = FakeAws()
    with polling(topic.mapping(), aws):
        until(lambda: aws.events)


# Batches


def test_a_batch_has_at_most_batch_size_records_in_order(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(10)])
    aws = FakeAws()
    with polling(topic.mapping(BatchSize=4, MaximumBatchingWindowInSeconds=1), aws):
        until(lambda: sum(len(one) for one in aws.seen) == 10)
    assert aws.seen == [
        [(0, 0), (0, 1), (0, 2), (0, 3)],
        [(0, 4), (0, 5), (0, 6), (0, 7)],
        [(0, 8), (0, 9)],
    ]


def test_a_batch_is_at_most_six_megabytes(topic: Topic) -> None:
    topic.send(*[bytes(1_000_000)] * 9)
    aws = FakeAws()
    with polling(topic.mapping(MaximumBatchingWindowInSeconds=30), aws):
        until(lambda: len(aws.events) == 2)
    assert [len(one) for one in aws.seen] == [4, 4]


def test_a_window_gathers_what_comes_within_it(topic: Topic) -> None:
    aws = FakeAws()
    with polling(topic.mapping(MaximumBatchingWindowInSeconds=2), aws) as running:
        until(lambda: started(running))
        for n in range(3):
            topic.send({"n": n})
            until(lambda n=n: running.counts["polled"] == n + 1)  # type: ignore[misc]
        assert not aws.events
        until(lambda: aws.events)
    assert aws.seen == [[(0, 0), (0, 1), (0, 2)]]


def test_each_invocation_has_records_of_one_partition_and_partitions_run_at_once(
    broker: str,
) -> None:
    topic = Topic(broker, partitions=2)
    together = threading.Barrier(2, timeout=10)
    aws = FakeAws(answer=lambda _event: together.wait() * 0)
    topic.send({}, partition=0)
    topic.send({}, partition=1)
    with polling(topic.mapping(), aws):
        until(lambda: len(aws.events) == 2)
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
        until(lambda: len(aws.events) == 10)
    assert most == [1]
    assert aws.seen == [[(0, n)] for n in range(10)]


def test_more_records_than_are_held_all_arrive(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(2000)])
    mapping, aws = topic.mapping(BatchSize=3), FakeAws()
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 2000)
    assert [offset for one in aws.seen for _, offset in one] == list(range(2000))


# Filters


def test_filtered_records_are_counted_and_committed(topic: Topic) -> None:
    topic.send({"resourceType": "entity"}, b"not json", b"\xff", None)
    mapping, aws = topic.mapping(FilterCriteria=RUNS_ONLY), FakeAws()
    with polling(mapping, aws) as running:
        until(lambda: committed(topic, mapping) == 4)
        assert running.counts["filtered"] == 4
        assert running.counts["notJson"] == 2
    assert not aws.events


def test_only_matching_records_fill_a_batch(topic: Topic) -> None:
    run = {"resourceType": "run"}
    topic.send(run, b"?", run, {"resourceType": "entity"}, run)
    mapping = topic.mapping(
        FilterCriteria=RUNS_ONLY, BatchSize=3, MaximumBatchingWindowInSeconds=10
    )
    aws = FakeAws()
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 5)
    assert aws.seen == [[(0, 0), (0, 2), (0, 4)]]


# Starting position


def test_latest_begins_after_what_is_there(topic: Topic) -> None:
    topic.send(b"1")
    topic.send(*[b"old"] * 5)
    mapping, aws = topic.mapping(StartingPosition="LATEST"), FakeAws()
    with polling(mapping, aws) as running:
        until(lambda: started(running))
        topic.send(b"new")
        until(lambda: aws.events)
    assert aws.seen == [[(0, 6)]]


def test_latest_holds_its_first_position_over_a_restart(topic: Topic) -> None:
    mapping, aws = topic.mapping(StartingPosition="LATEST"), FakeAws()
    with polling(mapping, aws) as running:
        until(lambda: started(running))
    topic.send(b"while nobody polled")
    with polling(mapping, aws):
        until(lambda: aws.events)
    assert aws.seen == [[(0, 0)]]


def test_at_timestamp_begins_with_the_first_record_that_is_not_older(topic: Topic) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for second in (-2, -1, 0, 1):
        topic.send(b"x", timestamp=round((moment.timestamp() + second) * 1000))
    mapping, aws = topic.mapping(
        StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment, BatchSize=1
    ), FakeAws()  # fmt: skip
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 4)
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
        until(lambda: aws.events)
    assert aws.seen == [[(0, 3)]]


def test_each_group_gets_every_record(topic: Topic) -> None:
    one, other = FakeAws(), FakeAws()
    with polling(topic.mapping(), one), polling(topic.mapping(), other):
        topic.send(b"x")
        until(lambda: one.events and other.events)


# Failures


def test_a_failed_batch_is_retried_whole_and_blocks_only_its_partition(broker: str) -> None:
    topic = Topic(broker, partitions=2)
    fail = threading.Event()

    def function(event: Mapping[str, Any]) -> None:
        if f"{topic.name}-0" in event["records"] and not fail.is_set():
            raise FunctionError("not yet")

    topic.send(b"1", b"2", partition=0)
    mapping = topic.mapping(BatchSize=2, MaximumBatchingWindowInSeconds=1)
    aws = FakeAws(answer=function)
    with polling(mapping, aws) as running:
        until(lambda: len(aws.events) > 12, "more than ten retries without a destination")
        topic.send(b"3", partition=0)
        topic.send(b"4", partition=1)
        until(lambda: committed(topic, mapping, 1) == 1)
        assert committed(topic, mapping, 0) == 0
        assert "PROBLEM: Function call failed" in running.results
        fail.set()
        until(lambda: committed(topic, mapping, 0) == 3)
    first = [one for one in aws.seen if one[0][0] == 0]
    assert set(map(tuple, first[:-1])) == {((0, 0), (0, 1))}
    assert first[-1] == [(0, 2)]


def test_an_invocation_that_lambda_refuses_is_no_retry_of_the_batch(topic: Topic) -> None:
    left = iter(range(5))

    def function(_event: Mapping[str, Any]) -> None:
        if next(left, None) is not None:
            raise Unreachable("TooManyRequestsException")

    topic.send(b"x")
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRetryAttempts=0)
    aws = FakeAws(answer=function)
    with polling(mapping, aws) as running:
        until(lambda: committed(topic, mapping) == 1)
        assert running.counts["invoked"] == 1
    assert not aws.objects


def test_a_partial_answer_retries_only_the_failed_records(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(4)])
    answers = iter([item_failures(topic, 1, 3), item_failures(topic, 3), {}])
    aws = FakeAws(answer=lambda _event: next(answers))
    mapping = topic.mapping(BatchSize=4, MaximumBatchingWindowInSeconds=9, **PARTIAL)
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 4)
    assert aws.seen == [[(0, 0), (0, 1), (0, 2), (0, 3)], [(0, 1), (0, 3)], [(0, 3)]]


def test_a_partial_answer_commits_up_to_the_lowest_failed_record(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(4)])
    aws = FakeAws(answer=lambda _event: item_failures(topic, 2))
    mapping = topic.mapping(BatchSize=4, MaximumBatchingWindowInSeconds=1, **PARTIAL)
    with polling(mapping, aws):
        until(lambda: len(aws.events) > 3)
        until(lambda: committed(topic, mapping) == 2)
    with polling(mapping, again := FakeAws()):
        until(lambda: again.events)
    assert again.seen == [[(0, 2), (0, 3)]]


def test_bisecting_isolates_a_bad_record(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(4)])
    mapping = topic.mapping(
        **PROVISIONED, **TO_BUCKET, BatchSize=4, MaximumBatchingWindowInSeconds=9,
        BisectBatchOnFunctionError=True, MaximumRetryAttempts=1,
    )  # fmt: skip
    aws = FakeAws(answer=failing_on(2))
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 4)
    assert aws.seen == [
        [(0, 0), (0, 1), (0, 2), (0, 3)],
        [(0, 0), (0, 1)],
        [(0, 2), (0, 3)],
        [(0, 2)],
        [(0, 2)],
        [(0, 3)],
    ]
    (document,) = aws.objects.values()
    assert document["KafkaBatchInfo"]["batchSize"] == 1


def test_without_provisioned_pollers_nothing_is_split_and_ten_retries_are_made(
    topic: Topic,
) -> None:
    topic.send(b"1", b"2")
    mapping = topic.mapping(
        **TO_BUCKET, BatchSize=2, MaximumBatchingWindowInSeconds=9, MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True, MaximumRecordAgeInSeconds=60,
    )  # fmt: skip
    aws = FakeAws(answer=always_failing)
    with polling(mapping, aws) as running:
        until(lambda: committed(topic, mapping) == 2)
        assert running.counts["failed"] == 11
        assert running.counts["sentToDestination"] == 2
    assert aws.seen == [[(0, 0), (0, 1)]] * 11


def test_retries_are_bounded_and_the_record_is_discarded_without_a_destination(
    topic: Topic,
) -> None:
    topic.send(b"1", b"2")
    mapping = topic.mapping(**PROVISIONED, BatchSize=1, MaximumRetryAttempts=2)
    aws = FakeAws(answer=failing_on(0))
    with polling(mapping, aws) as running:
        until(lambda: committed(topic, mapping) == 2)
        assert running.counts["discarded"] == 1
    assert aws.seen == [[(0, 0)]] * 3 + [[(0, 1)]]


def test_a_record_that_is_too_old_is_not_invoked(topic: Topic) -> None:
    topic.send(b"old", timestamp=1_600_000_000_000)
    topic.send(b"new")
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRecordAgeInSeconds=60)
    aws = FakeAws()
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 2)
    assert aws.seen == [[(0, 1)]]
    (document,) = aws.objects.values()
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert document["responseContext"] is None


# Destinations


def test_the_whole_batch_is_stored_in_s3(topic: Topic) -> None:
    topic.send({"n": 1})
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRetryAttempts=1)
    aws = FakeAws(answer=always_failing)
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 1)
    ((name, document),) = aws.objects.items()
    assert name.startswith(f"failed-records/aws/lambda/{mapping.uuid}/{topic.name}-0/2")
    assert document["requestContext"]["functionArn"] == FUNCTION
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert document["responseContext"]["functionError"] == "Unhandled"
    assert json.loads(document["payload"]) == aws.events[0]


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_a_queue_or_topic_gets_only_the_metadata(topic: Topic, service: str) -> None:
    destination = f"arn:aws:{service}:eu-west-1:000000000000:failed"
    topic.send({"n": 1})
    mapping = topic.mapping(
        **PROVISIONED, DestinationConfig={"OnFailure": {"Destination": destination}},
        MaximumRetryAttempts=0,
    )  # fmt: skip
    aws = FakeAws(answer=always_failing)
    with polling(mapping, aws):
        until(lambda: committed(topic, mapping) == 1)
    ((arn, document),) = aws.messages
    assert arn == destination
    assert "payload" not in document
    assert document["KafkaBatchInfo"]["recordsInfo"].keys() == {f"{topic.name}-0"}


def test_a_destination_that_fails_is_tried_until_it_takes_the_record(topic: Topic) -> None:
    topic.send({"n": 1})
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRetryAttempts=0)
    aws = FakeAws(answer=always_failing, broken_destinations=10_000)
    with polling(mapping, aws) as running:
        until(lambda: any("destination failed" in result for result in running.results))
        until(lambda: aws.broken_destinations < 9_995)
        assert committed(topic, mapping) == 0
        aws.broken_destinations = 1
        until(lambda: committed(topic, mapping) == 1)
    assert len(aws.objects) == 1


def test_a_destination_that_is_missing_is_a_problem_until_it_is_there(topic: Topic) -> None:
    topic.send({"n": 1})
    aws = FakeAws(missing_bucket=True)
    with polling(topic.mapping(**TO_BUCKET), aws) as running:
        until(lambda: running.results)
        assert running.results == [
            f"PROBLEM: The on-failure destination {BUCKET} cannot be used: no bucket failed-records"
        ]
        aws.missing_bucket = False
        until(lambda: aws.events)


# At least once


def test_what_was_not_finished_comes_again_after_a_stop(topic: Topic) -> None:
    topic.send(b"1", b"2", b"3")
    mapping = topic.mapping(BatchSize=1)
    with polling(mapping, FakeAws(answer=failing_on(1))) as running:
        until(lambda: running.counts["failed"] > 1)
    with polling(mapping, again := FakeAws()):
        until(lambda: committed(topic, mapping) == 3)
    assert again.seen == [[(0, 1)], [(0, 2)]]


def test_a_poller_that_was_lost_during_an_invocation_loses_no_record(topic: Topic) -> None:
    topic.send(b"1")
    hanging = threading.Event()
    mapping = topic.mapping()
    lost = FakeAws(answer=lambda _event: hanging.wait(30) * 0)
    with polling(mapping, lost):
        until(lambda: lost.events)
        # The first poller never comes to commit anything while the second one works.
        with polling(mapping, again := FakeAws()):
            until(lambda: again.events)
        hanging.set()
    assert again.seen == [[(0, 0)]]


def test_an_invocation_that_is_under_way_counts_when_the_poller_stops(topic: Topic) -> None:
    topic.send(b"1")
    hanging = threading.Event()
    mapping = topic.mapping()
    aws = FakeAws(answer=lambda _event: hanging.wait(30) * 0)
    with polling(mapping, aws) as running:
        until(lambda: aws.events)
        running.poller.stop()
        assert not running.poller.join(0.2)
        hanging.set()
    assert committed(topic, mapping) == 1


def test_a_poller_stops_at_once_between_two_retries(topic: Topic) -> None:
    topic.send(b"1")
    with polling(topic.mapping(), FakeAws(answer=always_failing)) as running:
        until(lambda: running.counts["failed"] > 3)
        running.poller.stop()
        assert running.poller.join(1.5)


# Partitions


def test_partitions_that_are_added_later_are_read_from_their_beginning(
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
        until(lambda: started(running))
        topic.send(b"1", partition=1)
        topic.send(b"2", partition=0)
        until(lambda: aws.events)
        assert aws.seen == [[(0, 0)]]
        grown.set()
        until(lambda: committed(topic, mapping, 1) == 1)
    assert aws.seen == [[(0, 0)], [(1, 0)]]


# Problems


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
        until(lambda: running.results)
        assert running.results[0].startswith("PROBLEM: ")
        assert reason in running.results[0]
        assert SECRET in running.results[0]
        assert not aws.events
        aws.secret = '{"username": "org_sandbox", "password": "right"}'
        until(lambda: running.results[-1] == "OK")


def test_a_missing_topic_is_a_problem_until_it_is_made(broker: str) -> None:
    absent = Topic(broker, partitions=0)
    with polling(absent.mapping(), FakeAws()) as running:
        until(lambda: running.results)
        assert running.results == [
            f"PROBLEM: The topic {absent.name} does not exist in the cluster."
        ]
        ensure_topics(broker, {absent.name: 1})
        until(lambda: started(running))


def test_a_cluster_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "REQUEST_SECONDS", 0.5)
    absent = Topic(f"127.0.0.1:{free_port()}", partitions=0)
    with polling(absent.mapping(), FakeAws()) as running:
        until(lambda: running.results)
        assert running.results[0].startswith("PROBLEM: Connection error.")


def test_a_fault_of_the_event_source_itself_is_a_problem_and_not_its_end(topic: Topic) -> None:
    topic.send(b"1")
    faults = iter([ZeroDivisionError("oops")])

    def function(_event: Mapping[str, Any]) -> None:
        if fault := next(faults, None):
            raise fault

    with polling(topic.mapping(), FakeAws(answer=function)) as running:
        until(lambda: running.results and running.results[-1] == "OK")
        assert "PROBLEM: Internal error: oops" in running.results
