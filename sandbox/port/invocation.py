"""Invocation methods: rendered when a run is created, carried out when it starts."""

import time
from dataclasses import replace
from typing import Any

from sandbox.port import actions, entities
from sandbox.port.entities import Options
from sandbox.port.errors import PortApiError, invalid
from sandbox.port.messages import run_message_v1
from sandbox.port.outbox import enqueue
from sandbox.port.signature import sign, stringify
from sandbox.port.store import Action, Run
from sandbox.port.templates import TemplateError, render
from sandbox.port.work import Work

Json = dict[str, Any]


def rendered(action: Action, trigger_data: Json, values: Json) -> Json:
    """Return the action's invocation method with its templates rendered.

    An action of type KAFKA without a payload gets the older, fixed message.

    Args:
        action: the action or automation.
        trigger_data: what the templates see.
        values: the inputs as they were filled in.

    Raises:
        PortApiError: 422 `evaluate_invocation_method_error` if a template fails,
            `invalid_evaluated_invocation_method` if what comes out cannot be carried out.
    """
    method = action.definition["invocationMethod"]
    if method["type"] == "KAFKA":
        template = method.get("payload")
        if template is None:
            entity = trigger_data["entity"] or None
            payload: Any = run_message_v1(trigger_data, actions.view(action), entity, values)
        else:
            payload = _render(template, trigger_data)
        return {"type": "KAFKA", "payload": payload}
    if method["type"] == "WEBHOOK":
        parts = {name: _render(method[name], trigger_data) for name in ("url", "body")}
        headers = _render(method.get("headers", {}), trigger_data)
        return {"method": "POST", **method, **parts, "headers": headers}
    mapping = _render(method["mapping"], trigger_data)
    try:
        entities.check_shape(mapping, closed=True)
    except ValueError as error:
        raise invalid(str(error), "invalid_evaluated_invocation_method") from None
    return {**method, "mapping": mapping}


def carry_out(work: Work, run: Run) -> str | None:
    """Publish the run's message, send its request, or write its entity.

    Returns:
        Why it could not be done; None if it was.
    """
    method = run.invocation
    if method["type"] == "KAFKA":
        message = method["payload"]
        if work.settings.sign_messages and isinstance(message, dict):
            message = sign(message, work.settings.client_secret, int(time.time()))
        enqueue(work.db, work.settings.runs_topic, stringify(message).encode(), run.id)
        return None
    if method["type"] == "WEBHOOK":
        request = {name: method[name] for name in ("url", "method", "headers")}
        body = stringify(method["body"]).encode()
        enqueue(work.db, method["url"], body, run.id, request)
        return None
    noted = len(work.changes)
    # Port itself writes, independent of the rights of the person who ran the action.
    itself = replace(work, caller=replace(work.caller, admin=True))
    options = Options(mode="merge", run_id=run.id)
    try:
        with work.db.begin_nested():
            entities.post(itself, method["blueprintIdentifier"], method["mapping"], options)
    except PortApiError as error:
        del work.changes[noted:]
        return error.message
    return None


def _render(template: Any, context: Json) -> Any:
    try:
        return render(template, context)
    except TemplateError as error:
        raise invalid(str(error), "evaluate_invocation_method_error") from None
