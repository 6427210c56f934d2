"""A service's row in the `remediations` table, and what becomes of it. Pure.

The row admits one execution of the state machine at a time, and outlives it: when the service was
repaired, and when people were told, is what cools it down.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from slipway.health.changes import Change
from slipway.health.state import Healthy, LastStep, State

# Longer than the policy can ask back: an hour for repairs, a week for escalations.
_REMEMBERED = timedelta(days=8)
_MOST_REMEMBERED = 100
_MOST_CAUSES = 20


class Record(BaseModel):
    """The row.

    Attributes:
        service: the service's identifier.
        version: counts the row's changes.
        number: counts the service's remediations.
        execution: the one that is at work; None: none is.
        started: whether Step Functions has taken it.
        seen: `updatedAt` of the newest change that was acted on.
        said: the health status that this change says.
        known: `seen` when the execution last read the entity.
        causes: Port's ids of those who changed the entity before this remediation asked people.
        closed_at: when the execution before it let the service go.
        state: of the newest remediation.
        ending: its last step, once it has come to that, so that a repetition ends in the same.
        ended_at: when it came to that.
        interventions: when the service was repaired, or corrected to Healthy.
        escalations: when people were told of it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    service: str
    version: int = 0
    number: int = 0
    execution: str | None = None
    started: bool = False
    seen: datetime
    said: str | None = None
    known: datetime | None = None
    causes: tuple[str, ...] = ()
    closed_at: datetime | None = None
    state: State
    ending: LastStep | None = Field(None, discriminator="step")
    ended_at: datetime | None = None
    interventions: tuple[datetime, ...] = ()
    escalations: tuple[datetime, ...] = ()

    @property
    def owner(self) -> str:
        """The execution that is at work, as locks know it; empty if none is."""
        return self.execution or ""

    def changed(self, **changes: Any) -> "Record":
        """The row with other values."""
        return self.model_copy(update=changes)

    def caused_by(self, *people: str) -> "Record":
        """The row with more people who changed the entity."""
        new = [person for person in sorted(people) if person and person not in self.causes]
        return self.changed(causes=(*self.causes, *new)[-_MOST_CAUSES:]) if new else self


class Admission(StrEnum):
    """What a change leads to."""

    STARTED = "a remediation begins"
    JOINED = "the remediation that is at work looks at it"
    OLDER = "a newer change was acted on, or this one"


def execution_name(service: str, number: int) -> str:
    """The name of a service's n-th execution: of any identifier one that Step Functions takes.

    `slipway.runs.owners.is_execution` knows it by its form.
    """
    return f"{hashlib.sha256(service.encode()).hexdigest()[:32]}-{number}"


def admit(record: Record | None, change: Change, now: datetime) -> tuple[Record, Admission]:
    """Decide what a change of a service leads to.

    Args:
        record: the service's row, if there is one.
        change: what the change log says.
        now: the time, in UTC.
    """
    said = read_entity(change.properties)[0]
    if record is None:
        first = Record(
            service=change.entity,
            seen=change.updated_at,
            said=said,
            state=_state(change.entity, change.properties, now),
        ).caused_by(*change.by)
        return begun(first, change.properties, now), Admission.STARTED
    if change.updated_at <= record.seen:
        return record, Admission.OLDER
    record = record.changed(seen=change.updated_at, said=said)
    if record.execution:
        return record.caused_by(*change.by), Admission.JOINED
    record = record.changed(causes=()).caused_by(*change.by)
    return begun(record, change.properties, now), Admission.STARTED


def begun(record: Record, properties: Mapping[str, Any], now: datetime) -> Record:
    """The row with a new remediation, which is yet to be started."""
    number = record.number + 1
    state = _state(record.service, properties, now)
    known = {
        # Not the entity's own status, which Slipway may have written over this one.
        "found": record.said or state.found,
        "interventions": record.interventions,
        "escalations": record.escalations,
    }
    return record.changed(
        number=number,
        execution=execution_name(record.service, number),
        started=False,
        known=None,
        ending=None,
        ended_at=None,
        state=state.model_copy(update=known),
    )


def closed(record: Record, now: datetime) -> Record:
    """The row without its execution, which has ended.

    Args:
        record: the row; without an ending, the execution was stopped.
        now: the time, in UTC.
    """
    state, ending = record.state, record.ending
    corrected = isinstance(ending, Healthy) and not ending.synced
    moments = [attempt.began_at for attempt in state.attempts[:1]] or [now] * corrected
    return record.changed(
        execution=None,
        started=False,
        closed_at=now,
        interventions=_recent((*record.interventions, *moments), now),
        escalations=_recent((*record.escalations, *state.escalations), now),
    )


def read_entity(properties: Mapping[str, Any]) -> tuple[str | None, str | None, int | None]:
    """Health status, environment and number of replicas, each None if it is not there."""
    return (
        _text(properties.get("health_status")),
        _text(properties.get("environment")),
        _whole(properties.get("replicas")),
    )


def _state(service: str, properties: Mapping[str, Any], now: datetime) -> State:
    status, environment, replicas = read_entity(properties)
    return State(
        service=service,
        environment=environment,
        found=status or "Unknown",
        status=status,
        replicas=replicas,
        started_at=now,
    )


def _recent(moments: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    recent = {moment for moment in moments if moment > now - _REMEMBERED}
    return tuple(sorted(recent)[-_MOST_REMEMBERED:])


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value.is_integer() else None


def _text(value: object) -> str | None:
    # JSON can write half of a surrogate pair, which no UTF-8, and so no row, can hold.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None
