"""The table in docs/sweep.md, held against what is decided."""

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from slipway.sweep.decide import DOORBELLS, Facts, Limits, Pull, SweepAction, choose_action

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sweep.md"
HEADER = "| pull request | row in the ledger | execution of the approval | action |"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = Limits()
MOMENT = timedelta(minutes=1)
LONG = timedelta(days=100)


def open_since(moment: datetime, *, reminded: bool = False) -> dict[str, Any]:
    return {"pull": Pull(7, "open", moment), "reminded": reminded}


def ended(moment: datetime) -> dict[str, Any]:
    return {"pull": Pull(7, "merged", NOW - LONG, moment)}


NEAR = NOW - LIMITS.pull_request + LIMITS.reminder
PULLS: dict[str, dict[str, Any]] = {
    "none": {},
    "open": open_since(NEAR + MOMENT),
    "open, near its limit": open_since(NEAR),
    "open, near its limit, with the comment": open_since(NEAR, reminded=True),
    "open, to another branch": {"pull": Pull(7, "open", NOW - LONG, retargeted_to="x")},
    "open beyond its limit": open_since(NOW - LIMITS.pull_request, reminded=True),
    "ended just now": ended(NOW - LIMITS.report + MOMENT),
    "ended, not reported in time": ended(NOW - LIMITS.report),
}
ROWS: dict[str, dict[str, Any]] = {
    "none, just executed": {"published_at": NOW - LIMITS.never_received + MOMENT},
    "none in time": {"published_at": NOW - LIMITS.never_received},
    "none in time, topic unreadable": {"unreadable": True},
    "none after three doorbells": {"doorbells": DOORBELLS},
    "none after three doorbells, topic unreadable": {"unreadable": True, "doorbells": DOORBELLS},
    "none in time, encrypted inputs": {"encrypted": True},
    "none in time, paused": {"paused": True, "resumed_at": NOW - LIMITS.never_received},
    "none, paused or resumed just now": {"resumed_at": NOW - LIMITS.never_received + MOMENT},
    "none in time, record failed": {"failed": True, "paused": True},
    "written lately": {"seen_at": NOW - LIMITS.held + MOMENT},
    "postponed": {"seen_at": NOW - LONG, "resume_at": NOW + MOMENT},
    "old": {"seen_at": NOW - LIMITS.held, "resume_at": NOW - MOMENT},
}
EXECUTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    **{
        status: {"execution": status}
        for status in ("RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
    },
}


def table() -> list[list[str]]:
    """The cells of the table's rows."""
    lines = PAGE.read_text().splitlines()
    below = lines[lines.index(HEADER) + 2 :]
    rows = below[: below.index("")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def fits(cell: str, state: str) -> bool:
    return cell == "any" or state in cell.split(" / ")


def test_every_state_has_exactly_one_row_in_the_sweep_table() -> None:
    rows = table()
    for states in product(PULLS, ROWS, EXECUTIONS):
        pull, row, execution = states
        facts = Facts(
            **{"published_at": NOW - LONG, **PULLS[pull], **ROWS[row], **EXECUTIONS[execution]}
        )
        found = [action for *cells, action in rows if all(map(fits, cells, states))]

        assert found == [choose_action(facts, NOW, LIMITS)], states


def test_sweep_table_names_only_known_states_and_every_action() -> None:
    for *cells, _action in table():
        for cell, known in zip(cells, (PULLS, ROWS, EXECUTIONS), strict=True):
            assert cell == "any" or set(cell.split(" / ")) <= set(known)
    assert {SweepAction(action) for *_cells, action in table()} == set(SweepAction)
