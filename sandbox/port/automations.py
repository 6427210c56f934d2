"""Automations: actions that an event executes.

https://docs.port.io/actions-and-automations/define-automations/
"""

import logging
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from sandbox.port import actions, invocation, people, runs
from sandbox.port.errors import PortApiError
from sandbox.port.jq_program import JqError, evaluate
from sandbox.port.messages import automation_event
from sandbox.port.naming import new_id, timestamp
from sandbox.port.store import Action, Run
from sandbox.port.work import Change, Work

Json = dict[str, Any]
_LOG = logging.getLogger(__name__)
_EVENTS = {
    ("entity", "CREATE"): ("ENTITY_CREATED", "ANY_ENTITY_CHANGE"),
    ("entity", "UPDATE"): ("ENTITY_UPDATED", "ANY_ENTITY_CHANGE"),
    ("entity", "DELETE"): ("ENTITY_DELETED", "ANY_ENTITY_CHANGE"),
    ("run", "CREATE"): ("RUN_CREATED", "ANY_RUN_CHANGE"),
    ("run", "UPDATE"): ("RUN_UPDATED", "ANY_RUN_CHANGE"),
}


def react(work: Work, change: Change) -> None:
    """Execute the published automations that a change of an entity or a run triggers."""
    types = _EVENTS.get((change.resource_type, change.action), ())
    run_of = _action_of(work, change)
    candidates = [
        row
        for row in work.db.scalars(select(Action).order_by(Action.identifier))
        if row.definition["trigger"]["type"] == "automation" and row.definition.get("publish")
    ]
    for automation in candidates:
        trigger = automation.definition["trigger"]
        event = trigger["event"]
        source = event.get("actionIdentifier") or event.get("blueprintIdentifier")
        happened = run_of if change.resource_type == "run" else change.blueprint
        if event["type"] not in types or source != happened:
            continue
        definition = work.db.get(Action, run_of) if run_of else None
        action = actions.view(definition) if definition else None
        data = automation_event(change, action)
        if _is_met(trigger.get("condition"), data):
            # An automation acts in the name of the actor who caused it.
            caller = replace(work.caller, user_id=change.by["userId"], origin="AUTOMATION")
            _execute(replace(work, caller=caller), automation, data)


def _action_of(work: Work, change: Change) -> str | None:
    if change.resource_type != "run":
        return None
    run = work.db.scalar(select(Run).where(Run.id == change.identifier))
    return run.action if run else None


def _is_met(condition: Json | None, event: Json) -> bool:
    if condition is None:
        return True
    decide = any if condition.get("combinator") == "or" else all
    return decide([_is_true(expression, event) for expression in condition["expressions"]])


def _is_true(expression: str, event: Json) -> bool:
    try:
        return evaluate(expression, event) is True
    except JqError as error:
        _LOG.warning("condition of an automation: %s", error)
        return False


def _execute(work: Work, automation: Action, event: Json) -> None:
    user = people.find_by_id(work.db, work.caller.user_id)
    by = work.trigger_by() | ({"user": user.profile()} if user else {})
    data: Json = {
        "inputs": None,
        "trigger": {"by": by, "origin": "AUTOMATION", "at": timestamp()},
        "event": event,
        "entity": None,
        "action": {"identifier": automation.identifier},
        "run": {"id": new_id("r_")},
    }
    fault = None
    try:
        method = invocation.rendered(automation, data, {})
    except PortApiError as error:
        method, fault = automation.definition["invocationMethod"], error.message
    run = Run(
        id=data["run"]["id"],
        action=automation.identifier,
        blueprint=None,
        entity=None,
        status="IN_PROGRESS",
        source="AUTOMATION",
        properties={},
        required_approval=False,
        trigger=data["trigger"],
        invocation=method,
        impersonated_by=None,
        **work.stamp_new(),
    )
    work.db.add(run)
    work.db.flush()
    if fault is None:
        runs.note(work, run, None)
        runs.start(work, run)
        return
    runs.add_line(work, run, fault)
    runs.end(work, run, "FAILURE")
    runs.note(work, run, None)
