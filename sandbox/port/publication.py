"""What follows from a change: a row of the audit log, a message, automations."""

import logging

from sandbox.port import automations, messages
from sandbox.port.outbox import enqueue
from sandbox.port.signature import stringify
from sandbox.port.store import AuditEvent, Blueprint
from sandbox.port.work import Change, Work

_LOG = logging.getLogger(__name__)
# Automations can trigger each other in a circle, which nothing in their definitions forbids.
_DEEPEST = 10


def publish_changes(work: Work) -> None:
    """Publish the changes of this work, and those that its automations make in turn."""
    for depth in range(_DEEPEST + 1):
        if not work.changes:
            return
        batch = list(work.changes)
        work.changes.clear()
        for change in batch:
            _record(work, change)
            if work.settings.change_log:
                _send(work, change)
            if depth < _DEEPEST and not change.silent:
                automations.react(work, change)
    _LOG.error("automations trigger each other in a circle: stopped after %d rounds", _DEEPEST)


def _record(work: Work, change: Change) -> None:
    event = messages.audit_event(change)
    work.db.add(
        AuditEvent(
            resource_type=change.resource_type,
            blueprint=change.blueprint,
            entity=change.entity,
            run_id=change.run_id,
            at=change.at,
            event=event,
        )
    )


def _send(work: Work, change: Change) -> None:
    """Send what the change log carries: runs, and entities of blueprints that ask for it."""
    destination = None
    if change.resource_type == "entity":
        blueprint = work.db.get(Blueprint, change.blueprint)
        destination = blueprint.definition.get("changelogDestination") if blueprint else None
        if (destination or {}).get("type") != "KAFKA":
            return
    elif change.resource_type != "run":
        return
    message = messages.change_log(change, destination)
    topic = work.settings.change_log_topic
    enqueue(work.db, topic, stringify(message).encode(), change.run_id)
