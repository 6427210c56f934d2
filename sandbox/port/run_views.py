"""Runs as the API answers them."""

from typing import Any

from sandbox.port.store import Action, Blueprint, Entity, Run, RunLog
from sandbox.port.work import Work

Json = dict[str, Any]


def view(work: Work, run: Run, version: str = "v2") -> Json:
    """Return the run's JSON; `v1` names action and entity by their identifiers alone.

    https://docs.port.io/actions-and-automations/reflect-action-progress/ shows the older shape.
    """
    common: Json = {
        "id": run.id,
        "status": run.status,
        "statusLabel": run.status_label,
        "properties": run.properties,
        "source": run.source,
        "requiredApproval": run.required_approval,
        "approval": run.approval,
        "link": run.link,
        "payload": run.invocation,
        **run.authorship(),
    }
    optional = {
        "summary": run.summary,
        "externalRunId": run.external_run_id,
        "impersonatedBy": run.impersonated_by,
    }
    common |= {key: value for key, value in optional.items() if value is not None}
    action = work.db.get(Action, run.action)
    blueprint = work.db.get(Blueprint, run.blueprint) if run.blueprint else None
    entity = work.db.get(Entity, (run.blueprint, run.entity)) if run.entity else None
    if run.blueprint:
        definition = blueprint.definition if blueprint else None
        common["blueprint"] = _reference(run.blueprint, definition)
    if version == "v1":
        return common | {
            "action": run.action,
            "entity": run.entity,
            "relatedEntityExists": entity is not None,
            "relatedBlueprintExists": blueprint is not None,
            "endedAt": run.ended_at,
        }
    common["action"] = _reference(run.action, action.definition if action else None)
    if run.entity:
        known = {"title": entity.title, "icon": entity.icon} if entity else None
        common["entity"] = _reference(run.entity, known)
    return common | ({"endedAt": run.ended_at} if run.ended_at else {})


def _reference(identifier: str, known: Json | None) -> Json:
    """`{identifier, title, icon}`; of what is gone, `deleted`."""
    found = known or {}
    reference = {
        "identifier": identifier,
        "title": found.get("title"),
        "icon": found.get("icon"),
    }
    return reference if known is not None else {**reference, "deleted": True}


def log_view(line: RunLog) -> Json:
    """Return a line of the log."""
    return {
        "id": line.id,
        "runId": line.run_id,
        "message": line.message,
        "createdBy": line.created_by,
        "createdAt": line.created_at,
    }
