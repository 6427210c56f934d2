"""Approving and declining runs.

With ANY one approval starts the run, with ALL everybody who is asked must approve; one decline
ends it. The organisation's own credentials decide alone, as Port's guides do in automations.
"""

from typing import Any, Literal

from sqlalchemy import select

from sandbox.port import permissions, runs
from sandbox.port.errors import forbidden, invalid
from sandbox.port.people import User
from sandbox.port.run_views import view
from sandbox.port.store import Action, Run, Vote
from sandbox.port.work import Work

Json = dict[str, Any]
Decision = Literal["APPROVE", "DECLINE"]
_STATES = {"APPROVE": "APPROVED", "DECLINE": "DECLINED"}


def decide(work: Work, run_id: str, decision: Decision, description: str | None) -> Run:
    """Take a decision.

    Raises:
        PortApiError: 404; 422 `run_not_waiting_for_approval`; 403 `missing_permissions`.
    """
    run = runs.get(work, run_id)
    if run.status != runs.WAITING:
        text = f'Run "{run_id}" does not wait for an approval: {run.status}'
        raise invalid(text, "run_not_waiting_for_approval")
    asked = _asked(work, run)
    if not work.caller.is_machine and work.caller.user_id not in [user.id for user in asked]:
        raise forbidden("You may not approve this run.")
    vote = Vote(
        run_id=run.id,
        user_id=work.caller.user_id,
        state=_STATES[decision],
        description=description,
    )
    work.db.merge(vote)
    work.db.flush()
    if decision == "APPROVE" and not _is_complete(work, run, asked):
        return run
    before = view(work, run)
    run.approval = {
        "description": description or "",
        "userId": work.caller.user_id,
        "state": _STATES[decision],
    }
    if decision == "DECLINE":
        runs.end(work, run, "DECLINED")
        runs.note(work, run, before)
        return run
    run.status = "IN_PROGRESS"
    work.stamp(run)
    runs.note(work, run, before)
    runs.start(work, run)
    return run


def listed(work: Work, run_id: str, *, include_pending: bool) -> list[Json]:
    """Return who has decided, and with `include_pending` also who has not."""
    run = runs.get(work, run_id)
    votes = {vote.user_id: vote for vote in _votes(work, run)}
    found = [
        {"userId": vote.user_id, "state": vote.state, "description": vote.description}
        for vote in votes.values()
    ]
    if include_pending and run.status == runs.WAITING:
        found += [
            {"userId": user.id, "state": "PENDING", "description": None}
            for user in _asked(work, run)
            if user.id not in votes
        ]
    return found


def _asked(work: Work, run: Run) -> list[User]:
    action = work.db.get(Action, run.action)
    return permissions.approvers(work, action, runs.approval_context(work, run))


def _is_complete(work: Work, run: Run, asked: list[User]) -> bool:
    wants_all = isinstance(run.required_approval, dict) and run.required_approval["type"] == "ALL"
    if not wants_all or work.caller.is_machine:
        return True
    approved = {vote.user_id for vote in _votes(work, run) if vote.state == "APPROVED"}
    return {user.id for user in asked} <= approved


def _votes(work: Work, run: Run) -> list[Vote]:
    return list(work.db.scalars(select(Vote).where(Vote.run_id == run.id)))
