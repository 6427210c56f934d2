"""Serve what the portal's pages request beyond Port's own API.

The pages act as a person, with that person's access token. A cookie also has the token, so that it
survives a reload. An `EventSource` needs the cookie, because it cannot send headers.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Cookie, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field
from sqlalchemy import JSON, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from sandbox.port import actions, auth, catalogue, people, permissions, runs, traces
from sandbox.port.blueprints import blueprint_of
from sandbox.port.errors import PortApiError, forbidden, not_found
from sandbox.port.inputs import entity_inputs
from sandbox.port.jq_program import JqError, evaluate
from sandbox.port.naming import new_id
from sandbox.port.properties import Closed
from sandbox.port.run_views import log_view
from sandbox.port.search import matches
from sandbox.port.services import Call, CallDep, Services, ServicesDep
from sandbox.port.store import Action, AuditEvent, Base, Document, Run, RunLog
from sandbox.port.work import Work

Json = dict[str, Any]
_COOKIE = "sandbox_port_token"
_PREFIX = "/_sandbox/portal"
_PAUSE = 0.4
# What one look sends at most; the next look follows at once if there is more.
_BATCH = 500
router = APIRouter(prefix=_PREFIX)


class SavedView(Base):
    """How a person wants to see a catalogue page; `state` is the page's own."""

    __tablename__ = "portal_views"
    id: Mapped[str] = mapped_column(primary_key=True)
    blueprint: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    owner: Mapped[str]
    shared: Mapped[bool]
    state: Mapped[Document] = mapped_column(JSON)

    def view(self, caller: str) -> Json:
        """Return the view's JSON, with whether it is the caller's own."""
        return {
            "id": self.id,
            "title": self.title,
            "shared": self.shared,
            "mine": self.owner == caller,
            "state": self.state,
        }


class _ViewBody(Closed):
    title: str = Field(min_length=1, max_length=100)
    shared: bool = False
    state: Json


class _FormBody(Closed):
    properties: Json
    entity: str | None = None


def _cookie_call(
    services: ServicesDep, token: Annotated[str | None, Cookie(alias=_COOKIE)] = None
) -> Call:
    with services.store.transaction() as db:
        return Call(services, auth.authenticate(db, token, "UI"))


CookieCall = Annotated[Call, Depends(_cookie_call)]


# --- who am I ---------------------------------------------------------------------------------


@router.get("/people")
def list_people(services: ServicesDep) -> Json:
    """Whom one can be. It needs no token: it is the sign-in page's list."""
    with services.store.transaction() as db:
        everybody = people.users(db)
    shown = [
        {"email": one.email, "name": one.name, "roles": one.roles, "teams": one.teams}
        for one in everybody
    ]
    return {"ok": True, "people": shown, "organization": services.settings.org_name}


@router.put("/session")
def keep_session(call: CallDep, authorization: Annotated[str, Header()], reply: Response) -> Json:
    """Keep the person's access token in the cookie."""
    if call.caller.email is None:
        raise forbidden("The portal is for people, not for machine credentials.")
    token = authorization.removeprefix("Bearer ").strip()
    reply.set_cookie(_COOKIE, token, httponly=True, samesite="strict", path=_PREFIX)
    return {"ok": True}


@router.get("/session")
def get_session(
    services: ServicesDep, token: Annotated[str | None, Cookie(alias=_COOKIE)] = None
) -> Json:
    """Return the person and the token for other requests; null if signed out.

    `change` is the number of the last change. A page asks for the events after it, and so gets
    every event between its first reads and its connection.
    """
    signed_out = {"ok": True, "accessToken": None, "user": None}
    try:
        call = _cookie_call(services, token)
    except PortApiError:
        return signed_out
    with call.work() as work:
        user = people.find(work.db, call.caller.email or "")
        change = _last_change(work.db)
    if user is None:
        return signed_out
    shown = {**user.form_context(), "id": user.id}
    return {"ok": True, "accessToken": token, "user": shown, "change": change}


@router.delete("/session")
def end_session(reply: Response) -> Json:
    """Forget the person."""
    reply.delete_cookie(_COOKIE, path=_PREFIX)
    return {"ok": True}


# --- actions and their forms ------------------------------------------------------------------


@router.get("/actions")
def list_actions(call: CallDep, blueprint: str | None = None, entity: str | None = None) -> Json:
    """List self-service actions, each with why this person cannot run it.

    With `entity`, only the actions for that entity of `blueprint`.
    """
    with call.work() as work:
        target = _entity(work, blueprint, entity)
        found = [
            {**actions.view(row), "refusal": _refusal(work, row, target)}
            for row in actions.listed(work)
            if _is_offered(row, blueprint, target)
        ]
    return {"ok": True, "actions": found}


@router.post("/forms/{identifier}")
def show_form(identifier: str, body: _FormBody, call: CallDep) -> Json:
    """Return an action's form with its jq queries answered for what is filled in so far.

    Answers `userInputs`, the `defaults` of what is not filled in, `faults` of queries that
    failed, the `blueprints` of entity inputs, and `refusal`.
    """
    with call.work() as work:
        action = actions.get(work, identifier)
        target = _entity(work, blueprint_of(action), body.entity)
        user = people.find(work.db, call.caller.email) if call.caller.email else None
        context = {"entity": target, "user": user.form_context() if user else {}}
        user_inputs = actions.user_inputs(action)
        form, faults = _with_defaults(user_inputs, body.properties, context)
        resolved = _resolved(user_inputs, {**context, "form": form}, faults)
        refusal = _refusal(work, action, target)
    defaults = {name: value for name, value in form.items() if name not in body.properties}
    return {
        "ok": True,
        "userInputs": resolved,
        "defaults": defaults,
        "faults": sorted(set(faults)),
        "blueprints": entity_inputs(user_inputs),
        "refusal": refusal,
    }


def _entity(work: Work, blueprint: str | None, identifier: str | None) -> Json | None:
    if blueprint is None or identifier is None:
        return None
    return catalogue.view(work, catalogue.get(work, blueprint, identifier))


def _is_offered(row: Action, blueprint: str | None, entity: Json | None) -> bool:
    trigger = row.definition["trigger"]
    if trigger["type"] != "self-service" or (blueprint and blueprint_of(row) != blueprint):
        return False
    return entity is None or trigger["operation"] != "CREATE"


def _refusal(work: Work, row: Action, entity: Json | None) -> str | None:
    """Return why the person cannot run the action, unless that depends on an entity."""
    trigger = row.definition["trigger"]
    needs_entity = entity is None and trigger["operation"] != "CREATE"
    if needs_entity and permissions.depends_on_entity(row):
        return None
    condition = trigger.get("condition")
    if condition and entity and not matches(condition, entity, catalogue.make_scope(work)):
        return "This entity does not meet the action's condition."
    context = {"entity": entity or {}, "action": actions.summary(row), "inputs": {}}
    try:
        permissions.require_execute(work, row, context)
    except PortApiError as error:
        return error.message
    return None


def _with_defaults(user_inputs: Json, typed: Json, context: Json) -> tuple[Json, list[str]]:
    faults: list[str] = []
    form = {name: value for name, value in typed.items() if value is not None}
    for name, definition in user_inputs["properties"].items():
        default = _resolved(definition.get("default"), {**context, "form": form}, faults)
        if name not in form and default is not None:
            form[name] = default
    return form, faults


def _resolved(value: Any, scope: Json, faults: list[str]) -> Any:
    """Return the value with each `{jqQuery}` evaluated; a failed one is null."""
    if isinstance(value, list):
        return [_resolved(item, scope, faults) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"jqQuery"}:
        try:
            return evaluate(value["jqQuery"], scope)
        except JqError as error:
            faults.append(str(error))
            return None
    return {key: _resolved(item, scope, faults) for key, item in value.items()}


# --- who did it -------------------------------------------------------------------------------


@router.get("/traces")
def list_traces(call: CallDep) -> Json:
    """Return the runs behind the entities, and the runs' requesters; see `traces.found`."""
    with call.work() as work:
        return {"ok": True, **traces.found(work)}


# --- saved views ------------------------------------------------------------------------------


@router.get("/views/{blueprint}")
def list_views(blueprint: str, call: CallDep) -> Json:
    """Return the catalogue page views that the person may use.

    These are the person's own and the shared ones.
    """
    caller = call.caller.user_id
    mine_or_shared = (SavedView.owner == caller) | SavedView.shared
    statement = select(SavedView).where(SavedView.blueprint == blueprint, mine_or_shared)
    with call.work() as work:
        rows = work.db.scalars(statement.order_by(SavedView.title))
        return {"ok": True, "views": [row.view(caller) for row in rows]}


@router.post("/views/{blueprint}", status_code=201)
def save_view(blueprint: str, body: _ViewBody, call: CallDep) -> Json:
    """Keep a view; one of the same title and owner is replaced."""
    if body.shared:
        call.caller.require_admin()
    caller = call.caller.user_id
    same = (SavedView.blueprint == blueprint, SavedView.title == body.title)
    with call.work() as work:
        row = work.db.scalar(select(SavedView).where(*same, SavedView.owner == caller))
        if row is None:
            row = SavedView(id=new_id("view_"), blueprint=blueprint, owner=caller)
            work.db.add(row)
        row.title, row.shared, row.state = body.title, body.shared, body.state
        return {"ok": True, "view": row.view(caller)}


@router.delete("/views/{blueprint}/{view_id}")
def delete_view(blueprint: str, view_id: str, call: CallDep) -> Json:
    """Delete the caller's own view; an administrator may delete shared ones."""
    with call.work() as work:
        row = work.db.get(SavedView, view_id)
        if row is None or row.blueprint != blueprint:
            raise not_found("View", view_id)
        if row.owner != call.caller.user_id:
            call.caller.require_admin()
        work.db.delete(row)
    return {"ok": True}


# --- what happens, as it happens --------------------------------------------------------------


def _watched_run(call: CookieCall, run: str | None = None) -> str | None:
    if run is not None:
        with call.work() as work:
            runs.get(work, run)
    return run


@router.get("/events", response_class=EventSourceResponse)
async def events(
    request: Request,
    call: CookieCall,
    run: Annotated[str | None, Depends(_watched_run)],
    after: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream changes of the catalogue and runs, and one run's log lines.

    `change` names what changed: `{resource, action, blueprint, identifier}`. `log` is a line of
    the log of `run`, from its first one. An event's id is `<change>.<line>`: a browser that
    connects again sends it, and goes on where it was. A page that connects again, as for another
    run, names the change itself (`after`).
    """
    change, line = await run_sync(_start, call.services, last_event_id or f"{after}.0")
    yield ServerSentEvent(event="ready", data={}, id=f"{change}.{line}", retry=1000)
    while not request.app.state.is_stopping():
        changes, change = await run_sync(_changes, call, change)
        for data in changes:
            yield ServerSentEvent(event="change", data=data, id=f"{change}.{line}")
        lines, line = await run_sync(_lines, call, run, line)
        for data in lines:
            yield ServerSentEvent(event="log", data=data, id=f"{change}.{line}")
        if not changes and not lines:
            await anyio.sleep(_PAUSE)


def _start(services: Services, last_event_id: str) -> tuple[int, int]:
    change, _, line = last_event_id.partition(".")
    if change.isdecimal() and line.isdecimal():
        return int(change), int(line)
    with services.store.transaction() as db:
        return _last_change(db), 0


def _last_change(db: Session) -> int:
    return db.scalar(select(func.max(AuditEvent.number))) or 0


def _changes(call: Call, after: int) -> tuple[list[Json], int]:
    """Return visible changes after that event, and the last event's number."""
    newer = select(AuditEvent).where(AuditEvent.number > after).order_by(AuditEvent.number)
    found: list[Json] = []
    with call.services.store.transaction() as db:
        work = Work(db, call.services.settings, call.caller)
        for row in db.scalars(newer.limit(_BATCH)):
            after = row.number
            if row.resource_type == "run":
                run = db.scalar(select(Run).where(Run.id == row.run_id))
                if run is None or not runs.may_see(work, run):
                    continue
            identifiers = {"run": row.run_id, "entity": row.entity}
            found.append(
                {
                    "resource": row.resource_type,
                    "action": row.event["action"],
                    "blueprint": row.blueprint,
                    "identifier": identifiers.get(row.resource_type),
                }
            )
    return found, after


def _lines(call: Call, run: str | None, after: int) -> tuple[list[Json], int]:
    newer = select(RunLog).where(RunLog.run_id == run, RunLog.number > after)
    with call.services.store.transaction() as db:
        rows = list(db.scalars(newer.order_by(RunLog.number).limit(_BATCH)))
    return [log_view(row) for row in rows], rows[-1].number if rows else after
