"""Every combination of what is known of a run in progress, and what the sweep does to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.sweep.decide import Facts, Limits, Pull, SweepAction, choose_action

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = Limits()


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def pull(state: Any, *, opened: datetime, ended: datetime | None = None) -> Pull:
    return Pull(number=7, state=state, opened_at=opened, ended_at=ended)


OLD, RECENT = ago(days=10), ago(minutes=1)
CASES: list[tuple[str, Facts, SweepAction]] = [
    ("just executed", Facts(ago(minutes=14)), SweepAction.LEAVE),
    ("not received yet", Facts(ago(minutes=15)), SweepAction.RING),
    ("rung for twice", Facts(OLD, doorbells=2), SweepAction.RING),
    ("never received", Facts(OLD, doorbells=3), SweepAction.END_NEVER_RECEIVED),
    ("encrypted inputs", Facts(ago(minutes=15), encrypted=True), SweepAction.END_NEVER_RECEIVED),
    ("paused by an operator", Facts(OLD, paused=True, doorbells=3), SweepAction.LEAVE),
    ("topic cannot be read", Facts(OLD, unreadable=True), SweepAction.RING),
    ("topic still cannot be read", Facts(OLD, unreadable=True, doorbells=3), SweepAction.LEAVE),
    ("being worked on", Facts(RECENT, RECENT), SweepAction.LEAVE),
    ("held", Facts(OLD, ago(hours=71)), SweepAction.LEAVE),
    ("held for too long", Facts(OLD, ago(hours=72)), SweepAction.END_HELD),
    ("postponed", Facts(OLD, OLD, resume_at=NOW + timedelta(minutes=1)), SweepAction.LEAVE),
    ("postponed in vain", Facts(OLD, OLD, resume_at=RECENT), SweepAction.END_HELD),
    ("waiting for approval", Facts(OLD, OLD, execution="RUNNING"), SweepAction.LEAVE),
    ("machine failed", Facts(OLD, RECENT, execution="FAILED"), SweepAction.LEAVE),
    ("machine failed long ago", Facts(OLD, OLD, execution="FAILED"), SweepAction.END_HELD),
    ("machine aborted", Facts(OLD, RECENT, execution="ABORTED"), SweepAction.END_STOPPED),
    ("machine timed out", Facts(OLD, RECENT, execution="TIMED_OUT"), SweepAction.END_STOPPED),
    ("machine done, no report", Facts(OLD, OLD, execution="SUCCEEDED"), SweepAction.END_HELD),
    ("waiting for a merge", Facts(OLD, OLD, pull=pull("open", opened=OLD)), SweepAction.LEAVE),
    (
        "open for long",
        Facts(OLD, OLD, pull=pull("open", opened=ago(days=27))),
        SweepAction.REMIND,
    ),
    (
        "open for long, said so",
        Facts(OLD, OLD, pull=pull("open", opened=ago(days=29)), reminded=True),
        SweepAction.LEAVE,
    ),
    (
        "open for too long",
        Facts(OLD, OLD, pull=pull("open", opened=ago(days=30)), reminded=True),
        SweepAction.CLOSE,
    ),
    (
        "merged just now",
        Facts(OLD, OLD, pull=pull("merged", opened=OLD, ended=ago(minutes=29))),
        SweepAction.LEAVE,
    ),
    (
        "merged, no report",
        Facts(OLD, OLD, pull=pull("merged", opened=OLD, ended=ago(minutes=30))),
        SweepAction.REPORT,
    ),
    (
        "closed, no report",
        Facts(OLD, OLD, pull=pull("closed", opened=OLD, ended=ago(hours=2))),
        SweepAction.REPORT,
    ),
    (
        "closed, reopened, merged just now",
        Facts(OLD, OLD, pull=pull("merged", opened=OLD, ended=RECENT)),
        SweepAction.LEAVE,
    ),
    (
        "pull request, machine aborted",
        Facts(OLD, OLD, execution="ABORTED", pull=pull("open", opened=OLD)),
        SweepAction.LEAVE,
    ),
]


@pytest.mark.parametrize(
    ("facts", "action"), [(f, d) for _, f, d in CASES], ids=[name for name, _, _ in CASES]
)
def test_sweep_action_is_as_the_table_says(facts: Facts, action: SweepAction) -> None:
    assert choose_action(facts, NOW, LIMITS) is action


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
def test_sweep_leaves_only_waiting_runs_after_enough_time(
    known: Facts,
) -> None:
    later = datetime(2027, 6, 1, tzinfo=UTC)
    action = choose_action(known, later, LIMITS)
    if action is SweepAction.LEAVE:
        assert known.execution == "RUNNING"
        assert known.pull is None


@given(known=facts)
def test_sweep_never_ends_a_run_whose_machine_waits(known: Facts) -> None:
    if known.execution != "RUNNING" or known.pull is not None or known.seen_at is None:
        return
    assert choose_action(known, NOW, LIMITS) is SweepAction.LEAVE


@pytest.mark.parametrize(
    "limits",
    [{"held": timedelta(0)}, {"reminder": timedelta(days=30)}, {"report": timedelta(minutes=-1)}],
)
def test_limits_refuse_values_that_are_not_positive(
    limits: dict[str, timedelta],
) -> None:
    with pytest.raises(ValueError, match="limits must be positive"):
        Limits(**limits)
