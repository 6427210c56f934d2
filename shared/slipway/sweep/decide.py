"""Choose an action for each run that nothing works on any more. Pure.

`docs/sweep.md` has the table of all combinations.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from slipway.runs.models import Execution

# Doorbells of a run, after which it counts as never received.
DOORBELLS = 3


@dataclass(frozen=True)
class Limits:
    """How long each state may last.

    Attributes:
        never_received: a run without a ledger row.
        report: between the end of a pull request and of its run.
        pull_request: an open pull request.
        reminder: before the end of `pull_request`, a comment.
        held: a run that is on hold, or that nothing works on.
        automation: a run of an automation whose message no function has received.

    Raises:
        ValueError: a limit is not positive, or the reminder would come before the pull request.
    """

    never_received: timedelta = timedelta(minutes=15)
    report: timedelta = timedelta(minutes=30)
    pull_request: timedelta = timedelta(days=30)
    reminder: timedelta = timedelta(days=3)
    held: timedelta = timedelta(hours=72)
    automation: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        limits = (
            self.never_received, self.report, self.pull_request, self.reminder, self.held,
            self.automation,
        )  # fmt: skip
        if min(limits) <= timedelta(0) or self.reminder >= self.pull_request:
            raise ValueError("limits must be positive, and reminder shorter than pull_request")


@dataclass(frozen=True)
class Pull:
    """A run's pull request.

    Attributes:
        number: its number.
        state: on GitHub; `merged` means closed, with its change on the base branch.
        opened_at: in UTC.
        ended_at: when it was merged or closed; None while it is open.
        retargeted_to: its base branch, if that is not the repository's.
    """

    number: int
    state: Literal["open", "closed", "merged"]
    opened_at: datetime
    ended_at: datetime | None = None
    retargeted_to: str = ""


@dataclass(frozen=True)
class Facts:
    """The facts about a run that is in progress in Port.

    Attributes:
        published_at: when its message was, in UTC: when it was executed or, where Port itself asks
            for an approval, approved.
        seen_at: when Slipway last wrote its ledger row; None: Slipway never started it.
        paused: whether an operator paused its function; only read if it was never seen.
        unreadable: whether Lambda cannot read the function's topic or queue; read like `paused`.
        resumed_at: since when the function reads it; None: long enough.
        failed: whether its record is among the failed ones; read like `paused`.
        encrypted: whether its action has encrypted inputs, which only its message has; likewise.
        doorbells: how often the sweep has invoked its function for it; likewise.
        resume_at: until when it is postponed; None: it is not.
        execution: status of its approval's execution; None: it has none.
        pull: its pull request; None: there is none.
        reminded: whether the pull request has the sweep's comment.
        reported: whether the report's function reports the end of its pull request; it does not
            for runs of workflow nodes.
    """

    published_at: datetime
    seen_at: datetime | None = None
    paused: bool = False
    unreadable: bool = False
    resumed_at: datetime | None = None
    failed: bool = False
    encrypted: bool = False
    doorbells: int = 0
    resume_at: datetime | None = None
    execution: Execution | None = None
    pull: Pull | None = None
    reminded: bool = False
    reported: bool = True


class SweepAction(StrEnum):
    """A sweep action: a value of the metric's dimension `sweep_action`."""

    LEAVE = "LEAVE"
    HOLD = "HOLD"
    RING = "RING"
    END_NEVER_RECEIVED = "END_NEVER_RECEIVED"
    END_STOPPED = "END_STOPPED"
    END_HELD = "END_HELD"
    REPORT = "REPORT"
    REMIND = "REMIND"
    CLOSE = "CLOSE"
    CLOSE_RETARGETED = "CLOSE_RETARGETED"


def choose_action(facts: Facts, now: datetime, limits: Limits) -> SweepAction:
    """Choose the action for one run.

    A pull request comes first: its end is the run's end, regardless of the execution.
    """
    if facts.pull is not None:
        return _choose_pull(facts, facts.pull, now, limits)
    if facts.seen_at is None:
        return _choose_unseen(facts, now, limits)
    if facts.execution in {"ABORTED", "TIMED_OUT"}:
        return SweepAction.END_STOPPED
    if facts.execution == "RUNNING" or (facts.resume_at is not None and now < facts.resume_at):
        return SweepAction.LEAVE
    # Failed, or interrupted: an operator has this long to resume or replay it.
    return SweepAction.END_HELD if now - facts.seen_at >= limits.held else SweepAction.LEAVE


def _choose_unseen(facts: Facts, now: datetime, limits: Limits) -> SweepAction:
    readable_since = max(facts.published_at, facts.resumed_at or facts.published_at)
    if now - readable_since < limits.never_received:
        return SweepAction.LEAVE
    if facts.failed:
        return SweepAction.HOLD
    if facts.paused:
        return SweepAction.LEAVE
    if not facts.encrypted and facts.doorbells < DOORBELLS:
        return SweepAction.RING
    # Its message is still there and arrives once the topic can be read.
    return SweepAction.LEAVE if facts.unreadable else SweepAction.END_NEVER_RECEIVED


def _choose_pull(facts: Facts, pull: Pull, now: datetime, limits: Limits) -> SweepAction:
    if pull.state == "open":
        if pull.retargeted_to:
            return SweepAction.CLOSE_RETARGETED
        left = pull.opened_at + limits.pull_request - now
        if left <= timedelta(0):
            return SweepAction.CLOSE
        return (
            SweepAction.REMIND
            if left <= limits.reminder and not facts.reminded
            else SweepAction.LEAVE
        )
    if not facts.reported:
        return SweepAction.REPORT
    ended = pull.ended_at or pull.opened_at
    return SweepAction.REPORT if now - ended >= limits.report else SweepAction.LEAVE
