"""Show an approval request in Port as an entity, and compute its times."""

import json
import math
from datetime import datetime, timedelta
from typing import Any

from slipway.approvals.models import Approval, Status, approval_id
from slipway.catalog.keys import split_key
from slipway.changes.approvers import described
from slipway.changes.policy import Approvers
from slipway.changes.proposal import Asked, code_of, fenced, shortened, with_code
from slipway.config import PortConfig

BLUEPRINT = "approval_request"
DECIDE_ACTION = "decide_approval"
EXECUTED = "Executed"
# In bytes. Port accepts bodies of 1 MiB.
_LONGEST_FULL = 900_000


def request_for(
    asked: Asked,
    approvers: Approvers,
    *,
    run_id: str,
    ask: int,
    now: datetime,
    **facts: Any,
) -> Approval:
    """Return an approval request for a change; `facts` as in `new_request`."""
    return new_request(
        approvers,
        run_id=run_id,
        ask=ask,
        action=asked.action,
        service=asked.key,
        environment=", ".join(asked.environments),
        summary=asked.summary,
        change_hash=asked.change_hash,
        code=code_of(asked.preview),
        now=now,
        **facts,
    )


def new_request(
    approvers: Approvers, *, run_id: str, ask: int, now: datetime, **facts: Any
) -> Approval:
    """Return a request to the policy's approvers, with its times.

    Args:
        approvers: who may decide, and how long the request waits.
        run_id: the run that waits.
        ask: number of the request, from 1.
        now: the time, in UTC.
        facts: the other attributes of `Approval`.
    """
    expires_at = now + timedelta(seconds=approvers.expires_after_seconds)
    before = approvers.remind_before_seconds
    return Approval(
        id=approval_id(run_id, ask),
        run_id=run_id,
        ask=ask,
        emails=approvers.emails,
        teams=approvers.teams,
        needed=approvers.count,
        created_at=now,
        expires_at=expires_at,
        remind_at=expires_at - timedelta(seconds=before) if before else None,
        **facts,
    )


def waits(approval: Approval, now: datetime) -> dict[str, int]:
    """Return the seconds to wait for a decision: before and after a reminder.

    The end is absolute: time that passed before the machine began to wait is not added.
    """
    end = max(1, math.ceil((approval.expires_at - now).total_seconds()))
    if approval.remind_at is None or approval.reminded:
        return {"first_wait": end, "second_wait": 0}
    first = max(1, math.ceil((approval.remind_at - now).total_seconds()))
    return {"first_wait": min(first, end), "second_wait": max(1, end - first)}


def asked_at(approval: Approval, config: PortConfig) -> str:
    """Return Port's page of a request's source.

    That is the run's page, or the page of the entity to repair.
    """
    if approval.is_repair:
        return config.entity_url(*split_key(approval.service))
    return config.run_url(approval.run_id)


def entity(
    approval: Approval,
    *,
    run_url: str,
    service_url: str,
    preview: str | None = None,
    pr_url: str | None = None,
) -> dict[str, Any]:
    """Return the request's entity, a copy of the row for people.

    Editing the entity decides nothing.
    """
    last = max(approval.votes.values(), key=lambda vote: vote.at, default=None)
    title = f"{approval.action.replace('_', ' ').capitalize()} {approval.name}"
    status = EXECUTED if pr_url and approval.status is Status.APPROVED else approval.status.title()
    properties = {
        "status": status,
        "action": approval.action,
        "service": approval.name,
        "environment": approval.environment,
        "requested_by": approval.requested_by,
        "approvers": described(approval.emails, approval.teams).split(", "),
        "needed": approval.needed,
        "summary": approval.summary,
        **(_shown(approval, preview) if preview is not None else {}),
        "change_hash": approval.change_hash,
        "run_url": run_url,
        "service_url": service_url,
        "pr_url": pr_url,
        "expires_at": approval.expires_at.isoformat(),
        "decided_by": ", ".join(vote.approver for vote in approval.votes.values()) or None,
        "decided_at": approval.decided_at.isoformat() if approval.decided_at else None,
        "decision_comment": last.comment if last and last.comment else None,
        "door": last.channel if last else None,
    }
    return {
        "identifier": approval.id,
        "title": f"{title}: {approval.summary}",
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def _shown(approval: Approval, preview: str) -> dict[str, str]:
    """Return the diff as Port shows it, and the full diff if it is cut.

    The full diff ends with its code.
    """
    if not approval.code:
        return {"change": fenced(shortened(preview))}
    full = fenced(with_code(preview))
    if len(json.dumps(full)) > _LONGEST_FULL:
        full = (
            "The full diff is too long for Port. Open the link in the e-mail about this request. "
            "Decide there, or type the code at the end of that page here."
        )
    return {"change": fenced(shortened(preview)), "full_change": full}
