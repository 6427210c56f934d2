"""What a function's answer says, and what follows from it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.event_source.collaborators import Invocation
from sandbox.aws.event_source.responses import Verdict, judge
from sandbox.aws.event_source.retries import Plan, RetryPolicy, Work, after, backoff, expire
from sandbox.tests.event_source.harness import batch, json_values, record


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
def test_malformed_answer_or_unknown_record_fails_the_batch(payload: object) -> None:
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


def test_split_batch_gives_each_half_its_own_retries() -> None:
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
def test_every_record_ends_done_or_exhausted_once_in_order(
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
