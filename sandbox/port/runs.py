"""Handle runs from the request to the end.

    execute ─┬────────────────────────▶ IN_PROGRESS ─▶ SUCCESS | FAILURE
             └▶ WAITING_FOR_APPROVAL ─┬▶ IN_PROGRESS
                                      ├▶ DECLINED
                                      └▶ FAILURE (withdrawn)

https://docs.port.io/actions-and-automations/reflect-action-progress/
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from sandbox.port import actions, auth, catalogue, invocation, people, permissions
from sandbox.port.errors import forbidden, invalid, not_found
from sandbox.port.inputs import encrypted, entity_inputs, fill_in
from sandbox.port.naming import new_id, timestamp
from sandbox.port.run_views import log_view, view
from sandbox.port.search import matches
from sandbox.port.secret_inputs import encrypt
from sandbox.port.store import Action, Entity, Run, RunLog
from sandbox.port.work import Change, Work

Json = dict[str, Any]
ENDED = ("SUCCESS", "FAILURE", "DECLINED")
WAITING = "WAITING_FOR_APPROVAL"
_PATCHED = {
    "status": "status",
    "statusLabel": "status_label",
    "link": "link",
    "summary": "summary",
    "externalRunId": "external_run_id",
}


@dataclass(frozen=True)
class Request:
    """A request to execute an action.

    Attributes:
        action: the action's identifier.
        properties: the form's values.
        entity: the entity of a DAY-2 or DELETE action.
        run_as: the address of the user in whose name machine credentials act.
    """

    action: str
    properties: Json
    entity: str | None = None
    run_as: str | None = None


def get(work: Work, run_id: str) -> Run:
    """Return the run, if the caller may see it.

    Raises:
        PortApiError: 404 `not_found`, 403 `missing_permissions`.
    """
    run = work.db.scalar(select(Run).where(Run.id == run_id))
    if run is None:
        raise not_found("Run", run_id)
    if not may_see(work, run):
        raise forbidden("You may not see this run.")
    return run


def may_see(work: Work, run: Run) -> bool:
    """Return whether the caller may see a run.

    Administrators see all runs. Others see their own, and those that they may approve.
    """
    if work.caller.admin or run.created_by == work.caller.user_id:
        return True
    action = work.db.get(Action, run.action)
    if action and action.definition.get("allowAnyoneToViewRuns", True):
        return True
    people_asked = permissions.approvers(work, action, approval_context(work, run))
    return work.caller.email in [user.email for user in people_asked]


def execute(work: Work, request: Request) -> Json:
    """Create a run of a self-service action, and publish it unless it needs an approval.

    Raises:
        PortApiError: 403 `missing_permissions`, 404 `not_found`, 422 with the codes of Port's
            documentation.
    """
    action = actions.get(work, request.action)
    trigger = action.definition["trigger"]
    if trigger["type"] != "self-service":
        text = f'"{action.identifier}" is an automation and cannot be executed'
        raise invalid(text, "run_non_self_service_error")
    work = _as_requester(work, request.run_as)
    entity = _entity(work, action, request.entity)
    form = _fill_in(work, action, request.properties, entity)
    user = people.find(work.db, work.caller.email) if work.caller.email else None
    data = _trigger_data(work, action, form, entity, user)
    context = {**data, "user": user.form_context() if user else None}
    context["trigger"] = {**data["trigger"], "user": user.profile() if user else None}
    permissions.require_execute(work, action, context)
    run = Run(
        id=data["run"]["id"],
        action=action.identifier,
        blueprint=trigger.get("blueprintIdentifier"),
        entity=request.entity,
        status=WAITING if action.definition["requiredApproval"] else "IN_PROGRESS",
        source=work.caller.origin,
        properties=form,
        required_approval=action.definition["requiredApproval"],
        trigger=data["trigger"],
        invocation=invocation.rendered(action, data, form),
        impersonated_by=work.caller.impersonated_by,
        **work.stamp_new(),
    )
    work.db.add(run)
    work.db.flush()
    note(work, run, None)
    if run.status == "IN_PROGRESS":
        start(work, run)
    return view(work, run)


def start(work: Work, run: Run) -> None:
    """Carry out the run's rendered invocation."""
    fault = invocation.carry_out(work, run)
    if fault is not None:
        add_line(work, run, fault)
    if fault is not None or run.invocation["type"] == "UPSERT_ENTITY":
        before = view(work, run)
        end(work, run, "FAILURE" if fault else "SUCCESS")
        note(work, run, before)


def update(work: Work, run_id: str, body: Json) -> Run:
    """Change a run; each key overwrites what was there. A status ends the run.

    Raises:
        PortApiError: 404; 403; 422. `run_exhausted`: the run has ended, and the server is strict.
            `invalid_request`: SUCCESS for a run that waits for an approval.
    """
    run = get(work, run_id)
    _require_writer(work, run)
    if run.status in ENDED and work.settings.run_exhausted == "strict":
        raise invalid(f'Run "{run_id}" has already finished: {run.status}', "run_exhausted")
    if run.status == WAITING and body.get("status") == "SUCCESS":
        raise invalid("A run that waits for its approval can only be withdrawn (FAILURE).")
    before = view(work, run)
    for key, column in _PATCHED.items():
        if key in body:
            setattr(run, column, body[key])
    if isinstance(body.get("link"), str):
        run.link = [body["link"]]
    if "status" in body:
        end(work, run, body["status"])
    work.stamp(run)
    note(work, run, before)
    return run


def add_log(work: Work, run_id: str, body: Json) -> Json:
    """Write a line into the run's log; with `terminationStatus` it is the last one.

    Raises:
        PortApiError: 404; 403; 422 `run_exhausted` if the run is over.
    """
    run = get(work, run_id)
    _require_writer(work, run)
    if run.status in ENDED:
        raise invalid(f'Run "{run_id}" has already finished: {run.status}', "run_exhausted")
    line = add_line(work, run, body["message"])
    before = view(work, run)
    if body.get("statusLabel") is not None:
        run.status_label = body["statusLabel"]
    if body.get("terminationStatus") is not None:
        end(work, run, body["terminationStatus"])
        work.stamp(run)
        # Logs fire no automation.
        note(work, run, before, silent=True)
    return log_view(line)


def add_line(work: Work, run: Run, message: str) -> RunLog:
    """Write a line, regardless of the run's status."""
    line = RunLog(
        id=new_id("log_"),
        run_id=run.id,
        message=message,
        created_by=work.caller.user_id,
        created_at=timestamp(),
    )
    work.db.add(line)
    work.db.flush()
    return line


def end(work: Work, run: Run, status: str) -> None:
    """Give the run its last status."""
    run.status = status
    run.ended_at = run.ended_at or timestamp()
    work.stamp(run)
    work.db.flush()


def note(work: Work, run: Run, before: Json | None, *, silent: bool = False) -> None:
    """Publish a change of the run."""
    work.db.flush()
    work.note(
        Change(
            "UPDATE" if before else "CREATE",
            "run",
            run.id,
            before,
            view(work, run),
            blueprint=run.blueprint,
            entity=run.entity,
            run_id=run.id,
            silent=silent,
        )
    )


def approval_context(work: Work, run: Run) -> Json:
    """Return the context of an approval policy."""
    by = run.trigger["by"]
    action = work.db.get(Action, run.action)
    entity = work.db.get(Entity, (run.blueprint, run.entity)) if run.entity else None
    user = people.find(work.db, work.caller.email) if work.caller.email else None
    return {
        "blueprint": run.blueprint,
        "action": actions.summary(action) if action else None,
        "inputs": run.properties,
        "user": user.form_context() if user else None,
        "entity": catalogue.view(work, entity) if entity else {},
        "trigger": {**run.trigger, "user": by.get("user")},
        "run": {"id": run.id},
    }


def _require_writer(work: Work, run: Run) -> None:
    if not work.caller.admin and run.created_by != work.caller.user_id:
        raise forbidden("You may not change this run.")


def _as_requester(work: Work, run_as: str | None) -> Work:
    if run_as is None:
        return work
    if not work.caller.is_machine:
        raise forbidden("run_as needs the organisation's credentials.")
    user = people.get(work.db, run_as)
    caller = auth.caller_for(user, work.caller.origin, impersonated_by=work.caller.user_id)
    return replace(work, caller=caller)


def _entity(work: Work, action: Action, identifier: str | None) -> Json | None:
    trigger = action.definition["trigger"]
    if trigger["operation"] == "CREATE":
        if identifier is not None:
            raise invalid("A CREATE action takes no entity.")
        return None
    if identifier is None:
        text = f'Action "{action.identifier}" needs an entity'
        raise invalid(text, "missing_self_service_action_entity")
    row = catalogue.get(work, trigger["blueprintIdentifier"], identifier)
    entity = catalogue.view(work, row)
    condition = trigger.get("condition")
    if condition and not matches(condition, entity, catalogue.make_scope(work)):
        text = f'Entity "{identifier}" does not pass the condition of "{action.identifier}"'
        raise invalid(text, "entity_does_not_pass_condition")
    return entity


def _fill_in(work: Work, action: Action, typed: Json, entity: Json | None) -> Json:
    """Return the checked inputs. Secret ones are encrypted, and never stored as plain text."""
    user = people.find(work.db, work.caller.email) if work.caller.email else None
    user_inputs = actions.user_inputs(action)
    context = {"entity": entity, "user": user.form_context() if user else {}}
    form = fill_in(user_inputs, typed, context)
    for name in encrypted(user_inputs):
        if name in form:
            form[name] = encrypt(form[name], work.settings.client_secret)
    return form


def _trigger_data(
    work: Work, action: Action, form: Json, entity: Json | None, user: people.User | None
) -> Json:
    """Return the context of templates, in which entity inputs are whole entities."""
    expanded = dict(form)
    for name, blueprint in entity_inputs(actions.user_inputs(action)).items():
        if name in form:
            expanded[name] = _expand(work, name, blueprint, form[name])
    return {
        "inputs": expanded,
        "trigger": {
            "by": work.trigger_by() | ({"user": user.profile()} if user else {}),
            "origin": work.caller.origin,
            "at": timestamp(),
            "operation": action.definition["trigger"]["operation"],
        },
        "event": None,
        "entity": entity or {},
        "action": actions.summary(action),
        "run": {"id": new_id("r_")},
    }


def _expand(work: Work, name: str, blueprint: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_expand(work, name, blueprint, item) for item in value]
    row = work.db.get(Entity, (blueprint, value))
    if row is None:
        text = f'"{name}": there is no {blueprint} entity "{value}"'
        raise invalid(text, "user_inputs_schema_invalid")
    return catalogue.view(work, row)
