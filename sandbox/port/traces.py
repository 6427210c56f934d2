"""Who is behind what API clients wrote: the requesters of the runs in whose name they did."""

from typing import Any

from sqlalchemy import func, select

from sandbox.port import runs
from sandbox.port.store import AuditEvent, Run
from sandbox.port.work import Work

Json = dict[str, Any]


def found(work: Work) -> Json:
    """Find the runs that created each entity and changed it last.

    Only as far as the caller may see them.

    Returns:
        `requesters`: user id by run id. `created`, `changed`: `{blueprint, identifier, runId}`.
    """
    made = AuditEvent.event["action"].as_string() == "CREATE"
    created, changed = _newest(work, made), _newest(work)
    ids = {row.run_id for row in [*created, *changed]}
    rows = work.db.scalars(select(Run).where(Run.id.in_(ids)))
    seen = {run.id: run.created_by for run in rows if runs.may_see(work, run)}
    return {
        "requesters": seen,
        "created": [_trace(row) for row in created if row.run_id in seen],
        "changed": [_trace(row) for row in changed if row.run_id in seen],
    }


def _newest(work: Work, *conditions: Any) -> list[AuditEvent]:
    """Return the newest fitting event of each entity, if it was written in the name of a run."""
    last = (
        select(func.max(AuditEvent.number))
        .where(AuditEvent.resource_type == "entity", *conditions)
        .group_by(AuditEvent.blueprint, AuditEvent.entity)
    )
    of_runs = select(AuditEvent).where(AuditEvent.number.in_(last), AuditEvent.run_id.is_not(None))
    return list(work.db.scalars(of_runs))


def _trace(row: AuditEvent) -> Json:
    return {"blueprint": row.blueprint, "identifier": row.entity, "runId": row.run_id}
