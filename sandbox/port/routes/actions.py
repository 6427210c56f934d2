"""Actions, their permissions, and their runs."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from pydantic import Field
from sqlalchemy import select

from sandbox.port import actions, approvals, run_list, runs
from sandbox.port.blueprints import blueprint_of
from sandbox.port.properties import Closed
from sandbox.port.run_views import log_view, view
from sandbox.port.services import CallDep
from sandbox.port.store import Action, RunLog

Json = dict[str, Any]
router = APIRouter(prefix="/v1/actions")
JsonBody = Annotated[Json, Body()]
Version = Literal["v1", "v2"]
Ending = Literal["SUCCESS", "FAILURE"]


class _RunRequest(Closed):
    properties: Json
    entity: str | None = None


class _RunChange(Closed):
    status: Ending | None = None
    status_label: str | None = None
    link: str | list[str] | None = None
    summary: str | None = None
    external_run_id: str | None = None
    message: Any = None


class _LogLine(Closed):
    message: str
    termination_status: Ending | None = None
    status_label: str | None = None


class _Decision(Closed):
    status: approvals.Decision
    description: str | None = None


@router.get("")
def list_actions(request: Request, call: CallDep) -> Json:
    """Return all actions and automations that fit the query string."""
    query = request.query_params

    def wanted(name: str) -> list[str]:
        return query.getlist(name) + query.getlist(f"{name}[]")

    def fits(row: Action) -> bool:
        trigger = row.definition["trigger"]
        event = trigger.get("event", {}).get("type")
        published = str(bool(row.definition.get("publish"))).lower()
        filters = {
            "action_identifier": row.identifier,
            "blueprint_identifier": blueprint_of(row),
            "operation": trigger.get("operation"),
            "trigger_type": trigger["type"],
            "trigger_event": event,
            "published": published,
        }
        return all(not wanted(name) or value in wanted(name) for name, value in filters.items())

    with call.work() as work:
        found = [actions.view(row) for row in actions.listed(work) if fits(row)]
    return {"ok": True, "actions": found}


@router.post("", status_code=201)
def create_action(body: JsonBody, call: CallDep) -> Json:
    """Make an action or an automation."""
    with call.work() as work:
        return {"ok": True, "action": actions.create(work, body)}


@router.get("/runs")
def list_runs(
    wanted: Annotated[run_list.RunFilter, Query()], request: Request, call: CallDep
) -> Json:
    """Runs, newest first."""
    query = request.query_params
    with call.work() as work:
        exclude = query.getlist("exclude") + query.getlist("exclude[]")
        return run_list.listed(work, wanted, exclude)


@router.get("/runs/{run_id}")
def get_run(run_id: str, call: CallDep, version: Version = "v1") -> Json:
    """Return one run; in the older shape, unless the newer one is asked for."""
    with call.work() as work:
        return {"ok": True, "run": view(work, runs.get(work, run_id), version)}


@router.patch("/runs/{run_id}")
def update_run(run_id: str, body: _RunChange, call: CallDep, version: Version = "v2") -> Json:
    """Change a run; a status ends it."""
    changes = body.model_dump(exclude_unset=True, by_alias=True)
    # Null clears a label; for all other fields it is not a value.
    given = {k: v for k, v in changes.items() if v is not None or k == "statusLabel"}
    with call.work() as work:
        return {"ok": True, "run": view(work, runs.update(work, run_id, given), version)}


@router.post("/runs/{run_id}/logs", status_code=201)
def add_log(run_id: str, body: _LogLine, call: CallDep) -> Json:
    """Write a line into the run's log."""
    with call.work() as work:
        return {"ok": True, "runLog": runs.add_log(work, run_id, body.model_dump(by_alias=True))}


@router.get("/runs/{run_id}/logs")
def list_logs(
    run_id: str,
    call: CallDep,
    limit: Annotated[int, Field(ge=1, le=50)] = 50,
    offset: Annotated[int, Field(ge=0)] = 0,
) -> Json:
    """Return the run's log, oldest line first."""
    with call.work() as work:
        runs.get(work, run_id)
        lines = work.db.scalars(
            select(RunLog)
            .where(RunLog.run_id == run_id)
            .order_by(RunLog.number)
            .limit(limit)
            .offset(offset)
        )
        return {"ok": True, "runLogs": [log_view(line) for line in lines]}


@router.patch("/runs/{run_id}/approval", status_code=201)
def decide(run_id: str, body: _Decision, call: CallDep, version: Version = "v2") -> Json:
    """Approve or decline a run."""
    with call.work() as work:
        run = approvals.decide(work, run_id, body.status, body.description)
        return {"ok": True, "run": view(work, run, version)}


@router.get("/runs/{run_id}/approvers")
def list_approvers(run_id: str, call: CallDep, *, include_pending_approvers: bool) -> Json:
    """Return who decides about a run."""
    with call.work() as work:
        found = approvals.listed(work, run_id, include_pending=include_pending_approvers)
    return {"ok": True, "approvers": found}


@router.get("/{identifier}")
def get_action(identifier: str, call: CallDep) -> Json:
    """Return one action."""
    with call.work() as work:
        return {"ok": True, "action": actions.view(actions.get(work, identifier))}


@router.put("/{identifier}")
def replace_action(identifier: str, body: JsonBody, call: CallDep) -> Json:
    """Replace an action's definition."""
    with call.work() as work:
        return {"ok": True, "action": actions.replace(work, identifier, body)}


@router.delete("/{identifier}")
def delete_action(identifier: str, call: CallDep) -> Json:
    """Remove an action."""
    with call.work() as work:
        actions.delete(work, identifier)
    return {"ok": True}


@router.get("/{identifier}/permissions")
def get_permissions(identifier: str, call: CallDep) -> Json:
    """Return who may execute and approve."""
    with call.work() as work:
        return {"ok": True, "permissions": actions.get(work, identifier).permissions}


@router.patch("/{identifier}/permissions")
def change_permissions(identifier: str, body: JsonBody, call: CallDep) -> Json:
    """Set who may execute and approve."""
    with call.work() as work:
        return {"ok": True, "permissions": actions.change_permissions(work, identifier, body)}


@router.post("/{identifier}/runs", status_code=202)
def execute(identifier: str, body: _RunRequest, call: CallDep, run_as: str | None = None) -> Json:
    """Execute a self-service action."""
    request = runs.Request(identifier, body.properties, body.entity, run_as)
    with call.work() as work:
        return {"ok": True, "run": runs.execute(work, request)}
