"""Every combination of what is known of a run in progress, and what the sweep does to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.sweep.decide import Deed, Facts, Limits, Pull, judge

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = Limits()


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def pull(state: Any, *, opened: datetime, ended: datetime | None = None) -> Pull:
    return Pull(number=7, state=state, opened_at=opened, ended_at=ended)


OLD, RECENT = ago(days=10), ago(minutes=1)
CASES: list[tuple[str, Facts, Deed]] = [
    ("just executed", Facts(ago(minutes=14)), Deed.LEAVE),
    ("not received yet", Facts(ago(minutes=15)), Deed.RING),
    ("rung for twice", Facts(OLD, doorbells=2), Deed.RING),
    ("never received", Facts(OLD, doorbells=3), Deed.END_NEVER_RECEIVED),
    ("encrypted inputs", Facts(ago(minutes=15), encrypted=True), Deed.END_NEVER_RECEIVED),
    ("paused by an operator", Facts(OLD, paused=True, doorbells=3), Deed.LEAVE),
    ("topic cannot be read", Facts(OLD, unreadable=True), Deed.RING),
    ("topic still cannot be read", Facts(OLD, unreadable=True, doorbells=3), Deed.LEAVE),
    ("being worked on", Facts(RECENT, RECENT), Deed.LEAVE),
    ("held", Facts(OLD, ago(hours=71)), Deed.LEAVE),
    ("held for too long", Facts(OLD, ago(hours=72)), Deed.END_HELD),
    ("postponed", Facts(OLD, OLD, resume_at=NOW + timedelta(minutes=1)), Deed.LEAVE),
    ("postponed in vain", Facts(OLD, OLD, resume_at=RECENT), Deed.END_HELD),
    ("waiting for approval", Facts(OLD, OLD, execution="RUNNING"), Deed.LEAVE),
    ("machine failed", Facts(OLD, RECENT, execution="FAILED"), Deed.LEAVE),
    ("machine failed long ago", Facts(OLD, OLD, execution="FAILED"), Deed.END_HELD),
    ("machine aborted", Facts(OLD, RECENT, execution="ABORTED"), Deed.END_STOPPED),
    ("machine timed out", Facts(OLD, RECENT, execution="TIMED_OUT"), Deed.END_STOPPED),
    ("machine done, no report", Facts(OLD, OLD, execution="SUCCEEDED"), Deed.END_HELD),
    ("waiting for a merge", Facts(OLD, OLD, pull=pull("open", opened=OLD)), Deed.LEAVE),
    (
        "open for long",
        Facts(OLD, OLD, pull=pull("open", opened=ago(days=27))),
        Deed.REMIND,
    ),
    (
        "open for long, said so",
        Facts(OLD, OLD, pull=pull("open", opened=ago(days=29)), reminded=True),
        Deed.LEAVE,
    ),
    (
        "open for too long",
        Facts(OLD, OLD, pull=pull("open", opened=ago(days=30)), reminded=True),
        Deed.CLOSE,
    ),
    (
        "merged just now",
        Facts(OLD, OLD, pull=pull("merged", opened=OLD, ended=ago(minutes=29))),
        Deed.LEAVE,
    ),
    (
        "merged, no report",
        Facts(OLD, OLD, pull=pull("merged", opened=OLD, ended=ago(minutes=30))),
        Deed.REPORT,
    ),
    (
        "closed, no report",
        Facts(OLD, OLD, pull=pull("closed", opened=OLD, ended=ago(hours=2))),
        Deed.REPORT,
    ),
    (
        "closed, reopened, merged just now",
        Facts(OLD, OLD, pull=pull("merged", opened=OLD, ended=RECENT)),
        Deed.LEAVE,
    ),
    (
        "pull request, machine aborted",
        Facts(OLD, OLD, execution="ABORTED", pull=pull("open", opened=OLD)),
        Deed.LEAVE,
    ),
]


@pytest.mark.parametrize(
    ("facts", "deed"), [(f, d) for _, f, d in CASES], ids=[name for name, _, _ in CASES]
)
def test_given_what_is_known_of_a_run_when_judged_then_as_the_table_says(
    facts: Facts, deed: Deed
) -> None:
    assert judge(facts, NOW, LIMITS) is deed


times = st.integers(0, 500_000).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
pulls = st.builds(
    Pull,
    number=st.just(7),
    state=st.sampled_from(["open", "closed", "merged"]),
    opened_at=times,
    ended_at=st.none() | times,
)
facts = st.builds(
    Facts,
    published_at=times,
    seen_at=st.none() | times,
    resume_at=st.none() | times,
    execution=st.none()
    | st.sampled_from(["RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"]),
    pull=st.none() | pulls,
    reminded=st.booleans(),
)


@given(known=facts)
def test_given_anything_when_enough_time_has_passed_then_only_a_wait_is_left_alone(
    known: Facts,
) -> None:
    later = datetime(2027, 6, 1, tzinfo=UTC)
    deed = judge(known, later, LIMITS)
    if deed is Deed.LEAVE:
        assert known.execution == "RUNNING"
        assert known.pull is None


@given(known=facts)
def test_given_a_machine_that_waits_when_judged_then_its_run_is_never_ended(known: Facts) -> None:
    if known.execution != "RUNNING" or known.pull is not None or known.seen_at is None:
        return
    assert judge(known, NOW, LIMITS) is Deed.LEAVE


@pytest.mark.parametrize(
    "limits",
    [{"held": timedelta(0)}, {"reminder": timedelta(days=30)}, {"report": timedelta(minutes=-1)}],
)
def test_given_limits_that_make_no_sense_when_made_then_refused(
    limits: dict[str, timedelta],
) -> None:
    with pytest.raises(ValueError, match="limits must be positive"):
        Limits(**limits)
