"""The rules without a broker: batches, filters, verdicts, retries, progress, event shapes."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.event_source.batching import BatchLimits, batch_length
from sandbox.aws.event_source.collaborators import Invocation
from sandbox.aws.event_source.credentials import parse
from sandbox.aws.event_source.failures import (
    Condition,
    Failure,
    bucket_of,
    invocation_record,
    object_key,
    service_of,
)
from sandbox.aws.event_source.filters import Decision, Filter
from sandbox.aws.event_source.mapping import Mapping
from sandbox.aws.event_source.problem import Problem
from sandbox.aws.event_source.progress import Progress
from sandbox.aws.event_source.records import Record, Source, encode
from sandbox.aws.event_source.responses import Verdict, judge
from sandbox.aws.event_source.retries import Plan, RetryPolicy, Work, after, backoff, expire
from sandbox.tests.event_source.harness import BUCKET, CLUSTER, FUNCTION, SECRET, record

RUNS = json.dumps({"value": {"resourceType": ["run"], "action": ["create_service"]}})
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


def batch(*offsets: int) -> tuple[Record, ...]:
    return tuple(record(offset) for offset in offsets)


# The event


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


# Batches


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


# Filters


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        (b'{"resourceType":"run","action":"create_service","x":1}', Decision.INVOKE),
        (b'{"resourceType":"run","action":"other"}', Decision.FILTERED),
        (b'{"resourceType":"run"}', Decision.FILTERED),
        (b'[{"resourceType":"run","action":"create_service"}]', Decision.FILTERED),
        (b'"run"', Decision.FILTERED),
        (b"17", Decision.FILTERED),
        (b"null", Decision.FILTERED),
        (None, Decision.FILTERED),
        (b"", Decision.NOT_JSON),
        (b"hello", Decision.NOT_JSON),
        (b'{"resourceType":', Decision.NOT_JSON),
        (b"\xff\xfe{}", Decision.NOT_JSON),
        (b"[" * 200_000, Decision.NOT_JSON),
        (b"9" * 10_000, Decision.NOT_JSON),
    ],
)
def test_a_json_pattern_decides_on_the_decoded_value(
    value: bytes | None, decision: Decision
) -> None:
    assert Filter([RUNS]).decide(record(value=value)) is decision


def test_without_patterns_everything_passes() -> None:
    for value in (None, b"", b"hello", b"\xff"):
        assert Filter([]).decide(record(value=value)) is Decision.INVOKE


def test_any_of_several_patterns_is_enough() -> None:
    other = json.dumps({"value": {"action": [{"prefix": "up"}]}})
    assert Filter([RUNS, other]).decide(record(value=b'{"action":"upscale"}')) is Decision.INVOKE


def test_a_list_pattern_decides_on_the_text() -> None:
    not_error = Filter([json.dumps({"value": [{"anything-but": ["error"]}]})])
    assert not_error.decide(record(value=b"fine")) is Decision.INVOKE
    assert not_error.decide(record(value=b"error")) is Decision.FILTERED
    assert not_error.decide(record(value=b"\xff")) is Decision.FILTERED


def test_a_pattern_may_ask_for_the_key_and_for_metadata() -> None:
    pattern = {"key": ["k"], "partition": [2], "value": {"a": [1]}}
    chosen = Filter([json.dumps(pattern)])
    assert chosen.decide(record(value=b'{"a":1}', key=b"k", partition=2)) is Decision.INVOKE
    assert chosen.decide(record(value=b'{"a":1}', key=b"x", partition=2)) is Decision.FILTERED
    assert chosen.decide(record(value=b'{"a":1}', key=None, partition=2)) is Decision.FILTERED
    assert chosen.decide(record(value=b'{"a":1}', key=b"k", partition=1)) is Decision.FILTERED


def test_a_value_of_another_type_than_the_pattern_compares_is_filtered() -> None:
    pattern = {"value": {"a": [{"prefix": {"equals-ignore-case": "X"}}]}}
    assert Filter([json.dumps(pattern)]).decide(record(value=b'{"a":1}')) is Decision.FILTERED


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_value_upsets_a_filter(value: bytes) -> None:
    assert Filter([RUNS]).decide(record(value=value)) is not Decision.INVOKE


# Verdicts


def answer(payload: object, error: str | None = None) -> Invocation:
    return Invocation(json.dumps(payload).encode(), "request", function_error=error)


def failures(*items: tuple[object, object]) -> dict[str, Any]:
    return {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": partition, "offset": offset}}
            for partition, offset in items
        ]
    }


ALL_FAILED = Verdict(frozenset({1, 2, 3}), whole=True)


def test_a_function_error_fails_the_whole_batch() -> None:
    assert judge(answer({}, "Unhandled"), batch(1, 2, 3), item_failures=True) == ALL_FAILED


def test_named_records_fail() -> None:
    verdict = judge(answer(failures(("runs-0", 2))), batch(1, 2, 3), item_failures=True)
    assert verdict == Verdict(frozenset({2}))


@pytest.mark.parametrize(
    "payload", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"other": 1}]
)
def test_an_empty_answer_is_a_success(payload: object) -> None:
    assert judge(answer(payload), batch(1, 2, 3), item_failures=True) == Verdict()


@pytest.mark.parametrize(
    "payload",
    [
        "done",
        17,
        [],
        {"batchItemFailures": {}},
        {"batchItemFailures": "x"},
        {"batchItemFailures": [None]},
        {"batchItemFailures": [{}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": "runs-0"}]},
        {"batchItemFailures": [{"wrong": {"partition": "runs-0", "offset": 2}}]},
        failures(("runs-0", 99)),
        failures(("runs-1", 2)),
        failures(("other-0", 2)),
        failures(("runs-0", "2")),
        failures(("runs-0", True)),
        failures(("runs-0", None)),
        failures(("runs-0", 2), ("runs-0", 99)),
    ],
)
def test_a_malformed_answer_or_an_unknown_record_fails_the_whole_batch(payload: object) -> None:
    assert judge(answer(payload), batch(1, 2, 3), item_failures=True) == ALL_FAILED


def test_an_answer_that_is_not_json_fails_the_whole_batch() -> None:
    invocation = Invocation(b"\xff{", "request")
    assert judge(invocation, batch(1, 2, 3), item_failures=True) == ALL_FAILED


def test_without_the_response_type_the_answer_means_nothing() -> None:
    verdict = judge(answer(failures(("runs-0", 2))), batch(1, 2, 3), item_failures=False)
    assert verdict == Verdict()


@given(json_values)
def test_every_answer_has_a_verdict(payload: object) -> None:
    verdict = judge(answer({"batchItemFailures": payload}), batch(1, 2, 3), item_failures=True)
    assert verdict.failed <= {1, 2, 3}


# Retries

PROVISIONED = {"ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 2}}
CONTROLS = {
    "MaximumRetryAttempts": 3,
    "MaximumRecordAgeInSeconds": 60,
    "BisectBatchOnFunctionError": True,
}


@pytest.mark.parametrize(
    ("configuration", "has_destination", "policy"),
    [
        ({}, False, RetryPolicy()),
        ({}, True, RetryPolicy(retries=10)),
        (CONTROLS, False, RetryPolicy()),
        (CONTROLS, True, RetryPolicy(retries=10)),
        (PROVISIONED, False, RetryPolicy()),
        (PROVISIONED, True, RetryPolicy(retries=10)),
        (PROVISIONED | CONTROLS, True, RetryPolicy(retries=3, age=60, bisect=True)),
        (PROVISIONED | CONTROLS, False, RetryPolicy(retries=3, age=60, bisect=True)),
        (PROVISIONED | {"MaximumRetryAttempts": 0}, True, RetryPolicy(retries=0)),
        (PROVISIONED | {"MaximumRetryAttempts": -1}, True, RetryPolicy(retries=10)),
        (PROVISIONED | {"MaximumRecordAgeInSeconds": -1}, False, RetryPolicy()),
    ],
)
def test_only_provisioned_pollers_honour_the_error_controls(
    configuration: dict[str, Any], has_destination: bool, policy: RetryPolicy
) -> None:
    assert RetryPolicy.of(configuration, has_destination=has_destination) == policy


def test_a_success_finishes_the_batch() -> None:
    assert after(Work(batch(1, 2), 1), Verdict(), RetryPolicy()) == Plan(frozenset({1, 2}))


def test_a_failed_batch_is_invoked_again_as_it_was() -> None:
    work = Work(batch(1, 2, 3), 7)
    assert after(work, ALL_FAILED, RetryPolicy()) == Plan(frozenset(), retry=(work,))


def test_the_first_invocation_is_not_a_retry() -> None:
    policy = RetryPolicy(retries=1)
    assert after(Work(batch(1), 1), Verdict(frozenset({1})), policy).retry
    assert after(Work(batch(1), 2), Verdict(frozenset({1})), policy).exhausted == batch(1)


def test_a_partial_answer_retries_only_what_failed_and_counts_on() -> None:
    plan = after(Work(batch(1, 2, 3), 2), Verdict(frozenset({1, 3})), RetryPolicy(retries=5))
    assert plan == Plan(frozenset({2}), retry=(Work(batch(1, 3), 2),))


def test_a_batch_that_failed_as_one_is_split_and_each_half_has_its_own_retries() -> None:
    plan = after(Work(batch(1, 2, 3), 1), ALL_FAILED, RetryPolicy(retries=1, bisect=True))
    assert plan.retry == (Work(batch(1), 0), Work(batch(2, 3), 0))


def test_named_records_are_not_split() -> None:
    plan = after(Work(batch(1, 2, 3), 1), Verdict(frozenset({1, 2})), RetryPolicy(bisect=True))
    assert plan.retry == (Work(batch(1, 2), 1),)


def test_what_is_too_old_is_taken_out_of_its_batch() -> None:
    old, new = record(1, timestamp=1_000), record(2, timestamp=61_000)
    left, expired = expire(Work((old, new), 4), RetryPolicy(age=60), now=62.0)
    assert (left, expired) == (Work((new,), 4), (old,))


def test_without_an_age_nothing_is_too_old() -> None:
    work = Work((record(1, timestamp=0),))
    assert expire(work, RetryPolicy(), now=1e9) == (work, ())


def test_waits_double_up_to_a_limit() -> None:
    assert [backoff(n, 0.1, 2) for n in (1, 2, 3, 6, 1000)] == [0.1, 0.2, 0.4, 2, 2]


@given(
    st.sets(st.integers(0, 30), min_size=1, max_size=20),
    st.sets(st.integers(0, 30)),
    st.none() | st.integers(0, 3),
    st.booleans(),
    st.booleans(),
)
def test_every_record_ends_done_or_exhausted_exactly_once_and_in_order(
    batch_offsets: set[int], poison: set[int], retries: int | None, bisect: bool, partial: bool
) -> None:
    """Given a function that fails on poison, when all is retried to its end, nothing is lost."""
    policy = RetryPolicy(retries=2 if retries is None else retries, bisect=bisect)
    queue = [Work(batch(*sorted(batch_offsets)))]
    done, exhausted, invoked = list[int](), list[int](), list[int]()
    for _ in range(1000):
        if not queue:
            break
        work = queue.pop(0)
        offsets = {one.offset for one in work.records}
        invoked.append(min(offsets))
        failed = frozenset(offsets & poison)
        verdict = (
            Verdict(failed) if partial or not failed else Verdict(frozenset(offsets), whole=True)
        )
        plan = after(Work(work.records, work.invocations + 1), verdict, policy)
        done += plan.done
        exhausted += [one.offset for one in plan.exhausted]
        queue = [*plan.retry, *queue]
    assert not queue
    assert sorted(done + exhausted) == sorted(batch_offsets)
    assert not set(done) & poison
    assert invoked == sorted(invoked)
    if partial or bisect:
        assert set(exhausted) == batch_offsets & poison


# Progress


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


# On-failure records


def test_an_s3_record_has_the_event_as_text() -> None:
    given_up = Failure(
        batch(7, 9), Condition.RETRIES_EXHAUSTED, 11,
        Invocation(b"{}", "316aa6d0", executed_version="3", function_error="Unhandled"),
    )  # fmt: skip
    now = datetime(2026, 11, 23, 10, 4, 5, 60_000, tzinfo=UTC)
    document = invocation_record(given_up, FUNCTION, MSK, now, with_payload=True)
    assert json.loads(document.pop("payload")) == MSK.event(batch(7, 9))
    assert document == {
        "requestContext": {
            "requestId": "316aa6d0",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 11,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "3",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-11-23T10:04:05.060Z",
        "KafkaBatchInfo": {
            "batchSize": 2,
            "eventSourceArn": CLUSTER,
            "bootstrapServers": "b-1:9098,b-2:9098",
            "payloadSize": len(encode(MSK.event(batch(7, 9)))),
            "recordsInfo": {
                "runs-0": {
                    "firstRecordOffset": "7",
                    "lastRecordOffset": "9",
                    "firstRecordTimestamp": "2023-11-14T22:13:20.000Z",
                    "lastRecordTimestamp": "2023-11-14T22:13:20.000Z",
                }
            },
        },
    }


def test_a_record_of_what_was_never_invoked_has_no_response() -> None:
    given_up = Failure(batch(7), Condition.TOO_LARGE)
    document = invocation_record(
        given_up, FUNCTION, SELF_MANAGED, datetime.now(UTC), with_payload=False
    )
    assert document["responseContext"] is None
    assert "payload" not in document
    assert "eventSourceArn" not in document["KafkaBatchInfo"]


def test_an_object_is_named_after_mapping_partition_and_time() -> None:
    key = object_key("esm-1", record(), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert key.startswith("aws/lambda/esm-1/runs-0/2026/01/02/2026-01-02T03.04.05-")


def test_a_destination_is_told_by_its_arn() -> None:
    assert (service_of(BUCKET), bucket_of(BUCKET)) == ("s3", "failed-records")
    assert service_of("arn:aws:sqs:eu-west-1:000000000000:q") == "sqs"
    assert service_of("kafka://topic") == ""


# Configuration and credentials


def test_a_mapping_has_lambdas_defaults() -> None:
    mapping = Mapping.of({"UUID": "u", "FunctionArn": FUNCTION, "Topics": ["runs"]})
    assert (mapping.limits, mapping.group) == (BatchLimits(100, 0.5), "u")
    assert (mapping.destination, mapping.patterns, mapping.item_failures) == (None, (), False)


def test_a_mapping_is_read_whole() -> None:
    mapping = Mapping.of(
        {
            "UUID": "u",
            "FunctionArn": FUNCTION,
            "Topics": ["runs"],
            "EventSourceArn": CLUSTER,
            "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "org.slipway"},
            "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}],
            "BatchSize": 5,
            "MaximumBatchingWindowInSeconds": 0,
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "FilterCriteria": {"Filters": [{"Pattern": RUNS}]},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": BUCKET}},
        }
    )
    assert mapping.group == "org.slipway"
    assert (mapping.secret, mapping.brokers_members) == (
        SECRET,
        ("BootstrapBrokerStringSaslScram",),
    )
    assert mapping.limits == BatchLimits(5, 0)
    assert mapping.start_at == 1_767_225_600_000
    assert (mapping.patterns, mapping.item_failures) == ((RUNS,), True)
    assert (mapping.destination, mapping.policy) == (BUCKET, RetryPolicy(retries=10))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a JSON object"),
        ("user:password", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}", "has no username"),
        ('{"username": "u"}', "has no password"),
        ('{"username": "u", "password": ""}', "has no password"),
        ('{"username": 1, "password": "p"}', "has no username"),
    ],
)
def test_a_malformed_secret_is_named(text: str, reason: str) -> None:
    with pytest.raises(Problem, match=reason):
        parse(text, SECRET)


def test_a_secret_is_not_shown() -> None:
    with pytest.raises(Problem) as raised:
        parse('{"username": "u", "passwort": "hunter2"}', SECRET)
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(parse('{"username": "u", "password": "hunter2"}', SECRET))
