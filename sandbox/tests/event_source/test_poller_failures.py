"""The poller on a real broker: functions and destinations that fail, and restarts."""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sandbox.tests.event_source.harness import (
    BUCKET,
    FUNCTION,
    QUICK,
    FakeAws,
    FunctionError,
    Topic,
    Unreachable,
    committed,
    polling,
)
from sandbox.tests.waiting import LIMIT, MovedClock, wait_for

PROVISIONED = {"ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 2}}
PARTIAL = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
TO_BUCKET = {"DestinationConfig": {"OnFailure": {"Destination": BUCKET}}}


def always_failing(_event: Mapping[str, Any]) -> None:
    raise FunctionError("no")


def failing_on(*offsets: int) -> Any:
    """A function that fails as a whole when the batch has one of these offsets."""

    def function(event: Mapping[str, Any]) -> None:
        (records,) = event["records"].values()
        if {one["offset"] for one in records} & set(offsets):
            raise FunctionError("poison")

    return function


def raise_next(errors: Iterator[Exception]) -> None:
    """Fail with the next error, if there is one left."""
    if error := next(errors, None):
        raise error


def item_failures(topic: Topic, *offsets: int) -> dict[str, Any]:
    return {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": f"{topic.name}-0", "offset": offset}}
            for offset in offsets
        ]
    }


def test_failed_batch_is_retried_whole_and_blocks_its_partition(broker: str) -> None:
    topic = Topic(broker, partitions=2)
    fail = threading.Event()

    def function(event: Mapping[str, Any]) -> None:
        if f"{topic.name}-0" in event["records"] and not fail.is_set():
            raise FunctionError("not yet")

    topic.send(b"1", b"2", partition=0)
    mapping = topic.mapping(BatchSize=2, MaximumBatchingWindowInSeconds=300)
    aws = FakeAws(answer=function)
    with polling(mapping, aws) as running:
        wait_for(lambda: len(aws.events) > 12, "more than ten retries without a destination")
        topic.send(b"3", b"4", partition=0)
        topic.send(b"5", b"6", partition=1)
        wait_for(lambda: committed(topic, mapping, 1) == 2)
        assert committed(topic, mapping, 0) == 0
        assert "PROBLEM: Function call failed" in running.results
        fail.set()
        wait_for(lambda: committed(topic, mapping, 0) == 4)
    first = [one for one in aws.seen if one[0][0] == 0]
    assert set(map(tuple, first[:-1])) == {((0, 0), (0, 1))}
    assert first[-1] == [(0, 2), (0, 3)]


def test_refused_invocation_does_not_count_as_a_retry(topic: Topic) -> None:
    left = iter(range(5))

    def function(_event: Mapping[str, Any]) -> None:
        if next(left, None) is not None:
            raise Unreachable("TooManyRequestsException")

    topic.send(b"x")
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRetryAttempts=0)
    aws = FakeAws(answer=function)
    with polling(mapping, aws) as running:
        wait_for(lambda: committed(topic, mapping) == 1)
        assert running.counts["invoked"] == 1
    assert not aws.objects


def test_a_partial_answer_retries_only_the_failed_records(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(4)])
    answers = iter([item_failures(topic, 1, 3), item_failures(topic, 3), {}])
    aws = FakeAws(answer=lambda _event: next(answers))
    mapping = topic.mapping(
        BatchSize=4, MaximumBatchingWindowInSeconds=300, **PROVISIONED, **PARTIAL
    )
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 4)
    assert aws.seen == [[(0, 0), (0, 1), (0, 2), (0, 3)], [(0, 1), (0, 3)], [(0, 3)]]


def test_partial_answer_is_a_success_when_on_demand(topic: Topic) -> None:
    topic.send({"n": 0}, {"n": 1})
    aws = FakeAws(answer=lambda _event: item_failures(topic, 1))
    mapping = topic.mapping(BatchSize=2, MaximumBatchingWindowInSeconds=300, **PARTIAL)
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 2)
    assert aws.seen == [[(0, 0), (0, 1)]]


def test_a_partial_answer_commits_up_to_the_lowest_failed_record(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(4)])
    aws = FakeAws(answer=lambda _event: item_failures(topic, 2))
    mapping = topic.mapping(
        BatchSize=4, MaximumBatchingWindowInSeconds=300, **PROVISIONED, **PARTIAL
    )
    with polling(mapping, aws):
        wait_for(lambda: len(aws.events) > 3)
        wait_for(lambda: committed(topic, mapping) == 2)
    clock = MovedClock()
    with polling(mapping, again := FakeAws(), clock=clock) as running:
        wait_for(lambda: running.counts["polled"] == 2)
        clock.move(300)
        wait_for(lambda: again.events)
    assert again.seen == [[(0, 2), (0, 3)]]


def test_bisecting_isolates_a_bad_record(topic: Topic) -> None:
    topic.send(*[{"n": n} for n in range(4)])
    mapping = topic.mapping(
        **PROVISIONED, **TO_BUCKET, BatchSize=4, MaximumBatchingWindowInSeconds=300,
        BisectBatchOnFunctionError=True, MaximumRetryAttempts=1,
    )  # fmt: skip
    aws = FakeAws(answer=failing_on(2))
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 4)
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


def test_on_demand_pollers_retry_ten_times_without_splitting(
    topic: Topic,
) -> None:
    topic.send(b"1", b"2")
    mapping = topic.mapping(
        **TO_BUCKET, BatchSize=2, MaximumBatchingWindowInSeconds=300, MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True, MaximumRecordAgeInSeconds=60,
    )  # fmt: skip
    aws = FakeAws(answer=always_failing)
    with polling(mapping, aws) as running:
        wait_for(lambda: committed(topic, mapping) == 2)
        assert running.counts["failed"] == 11
        assert running.counts["sentToDestination"] == 2
    assert aws.seen == [[(0, 0), (0, 1)]] * 11


def test_record_without_a_destination_is_discarded_after_retries(
    topic: Topic,
) -> None:
    topic.send(b"1", b"2")
    mapping = topic.mapping(**PROVISIONED, BatchSize=1, MaximumRetryAttempts=2)
    aws = FakeAws(answer=failing_on(0))
    with polling(mapping, aws) as running:
        wait_for(lambda: committed(topic, mapping) == 2)
        assert running.counts["discarded"] == 1
    assert aws.seen == [[(0, 0)]] * 3 + [[(0, 1)]]


def test_a_record_that_is_too_old_is_not_invoked(topic: Topic) -> None:
    topic.send(b"old", timestamp=1_600_000_000_000)
    topic.send(b"new")
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRecordAgeInSeconds=60)
    aws = FakeAws()
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 2)
    assert aws.seen == [[(0, 1)]]
    (document,) = aws.objects.values()
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert document["responseContext"] is None


def test_a_record_grows_too_old_between_two_retries(topic: Topic) -> None:
    topic.send(b"x")
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRecordAgeInSeconds=60)
    aws, clock = FakeAws(answer=always_failing), MovedClock()
    with polling(mapping, aws, clock=clock) as running:
        wait_for(lambda: running.counts["failed"] == 1)
        clock.move(61)
        wait_for(lambda: committed(topic, mapping) == 1)
    assert len(aws.events) == 1
    (document,) = aws.objects.values()
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_retry_waits_for_its_pause(topic: Topic) -> None:
    topic.send(b"x")
    answers = iter([FunctionError("once")])
    aws, clock = FakeAws(answer=lambda _event: raise_next(answers)), MovedClock()
    mapping = topic.mapping()
    with polling(mapping, aws, clock=clock) as running:
        wait_for(lambda: running.counts["failed"] == 1)
        assert committed(topic, mapping) <= 0

        def committed_after_a_pause() -> bool:
            # Moved again and again: the pause may begin only after a first move.
            clock.move(QUICK.first_retry)
            return committed(topic, mapping) == 1

        wait_for(committed_after_a_pause)
    assert len(aws.events) == 2


def test_the_whole_batch_is_stored_in_s3(topic: Topic) -> None:
    topic.send({"n": 1})
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRetryAttempts=1)
    aws = FakeAws(answer=always_failing)
    with polling(mapping, aws):
        wait_for(lambda: committed(topic, mapping) == 1)
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
        wait_for(lambda: committed(topic, mapping) == 1)
    ((arn, document),) = aws.messages
    assert arn == destination
    assert "payload" not in document
    assert document["KafkaBatchInfo"]["recordsInfo"].keys() == {f"{topic.name}-0"}


def test_failing_destination_is_retried_until_it_succeeds(topic: Topic) -> None:
    topic.send({"n": 1})
    mapping = topic.mapping(**PROVISIONED, **TO_BUCKET, MaximumRetryAttempts=0)
    aws = FakeAws(answer=always_failing, broken_destinations=10_000)
    with polling(mapping, aws) as running:
        wait_for(lambda: any("destination failed" in result for result in running.results))
        wait_for(lambda: aws.broken_destinations < 9_995)
        assert committed(topic, mapping) == 0
        aws.broken_destinations = 1
        wait_for(lambda: committed(topic, mapping) == 1)
    assert len(aws.objects) == 1


def test_missing_destination_is_a_problem_until_it_exists(topic: Topic) -> None:
    topic.send({"n": 1})
    aws = FakeAws(missing_bucket=True)
    with polling(topic.mapping(**TO_BUCKET), aws) as running:
        wait_for(lambda: running.results)
        assert running.results == [
            f"PROBLEM: The on-failure destination {BUCKET} cannot be used: no bucket failed-records"
        ]
        aws.missing_bucket = False
        wait_for(lambda: aws.events)


def test_what_was_not_finished_comes_again_after_a_stop(topic: Topic) -> None:
    topic.send(b"1", b"2", b"3")
    mapping = topic.mapping(BatchSize=1)
    with polling(mapping, FakeAws(answer=failing_on(1))) as running:
        wait_for(lambda: running.counts["failed"] > 1)
    with polling(mapping, again := FakeAws()):
        wait_for(lambda: committed(topic, mapping) == 3)
    assert again.seen == [[(0, 1)], [(0, 2)]]


def test_poller_lost_during_an_invocation_loses_no_record(topic: Topic) -> None:
    topic.send(b"1")
    hanging = threading.Event()
    mapping = topic.mapping()
    lost = FakeAws(answer=lambda _event: hanging.wait(LIMIT) * 0)
    with polling(mapping, lost):
        wait_for(lambda: lost.events)
        # The first poller never comes to commit anything while the second one works.
        with polling(mapping, again := FakeAws()):
            wait_for(lambda: again.events)
        hanging.set()
    assert again.seen == [[(0, 0)]]


def test_running_invocation_counts_when_the_poller_stops(topic: Topic) -> None:
    topic.send(b"1")
    hanging = threading.Event()
    mapping = topic.mapping()
    aws = FakeAws(answer=lambda _event: hanging.wait(LIMIT) * 0)
    with polling(mapping, aws) as running:
        wait_for(lambda: aws.events)
        running.poller.stop()
        assert not running.poller.join(0.2)
        hanging.set()
    assert committed(topic, mapping) == 1


def test_a_poller_stops_at_once_between_two_retries(topic: Topic) -> None:
    topic.send(b"1")
    aws = FakeAws(answer=always_failing)
    # With a clock that stands still the pause never ends by itself.
    with polling(topic.mapping(), aws, clock=MovedClock()) as running:
        wait_for(lambda: running.counts["failed"] == 1)
        running.poller.stop()
        assert running.poller.join(LIMIT)
