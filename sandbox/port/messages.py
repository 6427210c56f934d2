"""The messages on Kafka and the events of automations, built from plain values."""

from typing import Any

from sandbox.port.work import Change

Json = dict[str, Any]


def _trigger(change: Change) -> Json:
    return {"by": change.by, "at": change.at, "origin": change.origin}


def change_log(change: Change, destination: Json | None) -> Json:
    """Return a message of `ORG_ID.change.log`.

    Args:
        change: what changed; for an entity its full documents before and after.
        destination: the blueprint's `changelogDestination`; None for runs.
    """
    context: Json = {"entity": change.entity, "blueprint": change.blueprint}
    if change.run_id is not None:
        context["runId"] = change.run_id
    message: Json = {
        "action": change.action,
        "resourceType": change.resource_type,
        "status": "SUCCESS",
        "trigger": _trigger(change),
        "context": context,
        "diff": {"before": change.before, "after": change.after},
    }
    return {**message, "changelogDestination": destination} if destination else message


def audit_event(change: Change) -> Json:
    """Return a row of the audit log: the change-log message with an id of its own."""
    return {"identifier": change.id, **change_log(change, None)}


def automation_event(change: Change, action: Json | None) -> Json:
    """`.event` of an automation's templates, and what its conditions see.

    https://docs.port.io/actions-and-automations/define-automations/setup-action

    Args:
        change: of an entity or a run.
        action: the definition of the run's action, for a run.
    """
    event: Json = {
        "resourceType": change.resource_type,
        "action": change.action,
        "trigger": _trigger(change),
        "context": {
            "blueprintIdentifier": change.blueprint,
            "entityIdentifier": change.entity,
            "propertyIdentifier": None,
        },
        "diff": {"before": change.before, "after": change.after},
    }
    # Port documents an id for the events of runs alone.
    of_run: Json = {"id": change.id, "context": {"action": action}}
    return {**event, **of_run} if change.resource_type == "run" else event


def run_message_v1(trigger_data: Json, action: Json, entity: Json | None, values: Json) -> Json:
    """Return a message of `ORG_ID.runs` in the shape of the older, per-blueprint actions.

    Args:
        trigger_data: what templates see.
        action: the action's JSON.
        entity: the entity of a DAY-2 or DELETE action.
        values: the inputs; an entity input is its identifier.
    """
    trigger = trigger_data["trigger"]
    definition = action["trigger"]
    blueprint = trigger_data["action"].get("blueprint")
    user_inputs = definition.get("userInputs") or {}
    shown = ("id", "identifier", "title", "icon", "description")
    authored = ("createdAt", "createdBy", "updatedAt", "updatedBy")
    return {
        "action": action["identifier"],
        "resourceType": "run",
        "status": "TRIGGERED",
        "trigger": {key: trigger[key] for key in ("by", "origin", "at")},
        "context": {
            "entity": entity["identifier"] if entity else None,
            "blueprint": blueprint,
            "runId": trigger_data["run"]["id"],
        },
        "payload": {
            "entity": entity,
            "action": {
                **{key: action.get(key) for key in shown},
                "blueprint": blueprint,
                "trigger": definition.get("operation"),
                "userInputs": {
                    "properties": user_inputs.get("properties", {}),
                    "required": user_inputs.get("required", []),
                },
                "invocationMethod": {"type": "KAFKA"},
                **{key: action.get(key) for key in authored},
            },
            "properties": values,
            "censoredProperties": trigger_data["action"].get("encryptedProperties", []),
        },
    }
