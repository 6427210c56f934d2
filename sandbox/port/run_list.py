"""Listing runs."""

from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select

from sandbox.port import people, runs
from sandbox.port.errors import invalid
from sandbox.port.run_views import view
from sandbox.port.store import Run
from sandbox.port.work import Work

Json = dict[str, Any]


class RunFilter(BaseModel):
    """The query string of `GET /v1/actions/runs`.

    Attributes:
        entity: identifier of the runs' entity.
        blueprint: identifier of the runs' blueprint.
        active: only runs that have not ended, or only runs that have.
        user_email: address of the person who executed.
        user_id: id of who executed.
        limit: how many.
        external_run_id: what the backend gave the run.
        action: identifier of the action.
        source: from where they were executed.
        version: shape of the answer.
        next: where the last answer ended.
    """

    entity: str | None = None
    blueprint: str | None = None
    active: bool | None = None
    user_email: str | None = None
    user_id: str | None = None
    limit: int = Field(50, ge=1, le=1000)
    external_run_id: str | None = None
    action: str | None = None
    source: list[Literal["UI", "API", "AUTOMATION"]] = Field([])
    version: Literal["v1", "v2"] = "v2"
    next: str | None = None


def listed(work: Work, wanted: RunFilter, exclude: list[str]) -> Json:
    """Runs that the caller may see, newest first; `next` if there may be more.

    Raises:
        PortApiError: 422 for a `next` that was not given out.
    """
    statement = select(Run).order_by(Run.number.desc())
    columns = {
        Run.entity: wanted.entity,
        Run.blueprint: wanted.blueprint,
        Run.external_run_id: wanted.external_run_id,
        Run.action: wanted.action,
        Run.created_by: wanted.user_id,
    }
    for column, value in columns.items():
        if value is not None:
            statement = statement.where(column == value)
    if wanted.user_email is not None:
        user = people.find(work.db, wanted.user_email)
        statement = statement.where(Run.created_by == (user.id if user else None))
    if wanted.active is not None:
        ended = Run.status.in_(runs.ENDED)
        statement = statement.where(~ended if wanted.active else ended)
    if wanted.source:
        statement = statement.where(Run.source.in_(wanted.source))
    if wanted.next is not None:
        if not wanted.next.isdecimal():
            raise invalid("next must be what the last answer gave")
        statement = statement.where(Run.number < int(wanted.next))
    rows = list(work.db.scalars(statement.limit(wanted.limit)))
    found = [view(work, run, wanted.version) for run in rows if runs.may_see(work, run)]
    shown = [{k: v for k, v in run.items() if k not in exclude} for run in found]
    more = {"next": str(rows[-1].number)} if len(rows) == wanted.limit else {}
    return {"ok": True, "runs": shown, **more}
