"""The audit log: who changed what. https://docs.port.io/api-reference/get-audit-logs ."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select

from sandbox.port import runs
from sandbox.port.store import AuditEvent, Run
from sandbox.port.work import Work

Json = dict[str, Any]


class AuditFilter(BaseModel):
    """The query string of `GET /v1/audit-log`; the fields are Port's own."""

    identifier: str | None = None
    entity: str | None = None
    blueprint: str | None = None
    run_id: str | None = None
    origin: list[str] = Field([])
    resources: list[Literal["blueprint", "entity", "run", "action"]] = Field([])
    includes: list[str] = Field([])
    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None
    action: str | None = None
    status: Literal["SUCCESS", "FAILURE"] | None = None
    limit: int = Field(100, ge=1, le=1000)


def listed(work: Work, wanted: AuditFilter) -> list[Json]:
    """Return events, newest first.

    Administrators see all events. Other users see their own, and those of the runs and entities
    that they may see.
    """
    statement = select(AuditEvent).order_by(AuditEvent.number.desc())
    columns = {
        AuditEvent.entity: wanted.entity,
        AuditEvent.blueprint: wanted.blueprint,
        AuditEvent.run_id: wanted.run_id,
    }
    for column, value in columns.items():
        if value is not None:
            statement = statement.where(column == value)
    if wanted.resources:
        statement = statement.where(AuditEvent.resource_type.in_(wanted.resources))
    if wanted.from_:
        statement = statement.where(AuditEvent.at >= wanted.from_)
    if wanted.to:
        statement = statement.where(AuditEvent.at <= wanted.to)
    run = work.db.scalar(select(Run).where(Run.id == wanted.run_id))
    is_run_shown = run is not None and runs.may_see(work, run)
    found: list[Json] = []
    for row in work.db.scalars(statement):
        if len(found) == wanted.limit:
            break
        is_entity_shown = wanted.entity is not None and row.resource_type == "entity"
        is_shown = is_run_shown or is_entity_shown or _may_see(work, row.event)
        if is_shown and _fits(row.event, wanted):
            found.append(_picked(row.event, wanted.includes))
    return found


def _may_see(work: Work, event: Json) -> bool:
    return work.caller.admin or event["trigger"]["by"]["userId"] == work.caller.user_id


def _fits(event: Json, wanted: AuditFilter) -> bool:
    return (
        (wanted.identifier is None or event["identifier"] == wanted.identifier)
        and (wanted.action is None or event["action"] == wanted.action)
        and (wanted.status is None or event["status"] == wanted.status)
        and (not wanted.origin or event["trigger"]["origin"] in wanted.origin)
    )


def _picked(event: Json, includes: list[str]) -> Json:
    return {key: event[key] for key in includes if key in event} if includes else event
