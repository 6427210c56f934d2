"""A service's row in the `remediations` table, and what becomes of it. Pure.

The row admits one execution of the state machine at a time, and outlives it: when the service was
repaired, and when people were told, is what cools it down.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from slipway.health.changes import Change
from slipway.health.state import Healthy, LastStep, State

# Longer than the policy can ask back: an hour for repairs, a week for escalations.
_REMEMBERED = timedelta(days=8)
_MOST_REMEMBERED = 100
_MOST_CAUSES = 20


def _count_only(value: object) -> object:
    # Release 0.1.0 noted a time here: what was seen by then counts as read.
    return 0 if isinstance(value, str | datetime) else value


class Row(BaseModel):
    """What every row of the table has.

    Attributes:
        service: the row's key.
        version: counts the row's changes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    service: str
    version: int = 0

    def changed(self, **changes: Any) -> Self:
        """The row with other values."""
        return self.model_copy(update=changes)


class Record(Row):
    """The row of a service, whose key is the service's identifier.

    Attributes:
        number: counts the service's remediations.
        execution: the one that is at work; None: none is.
        started: whether Step Functions has taken it.
        offsets: partition → offset of the newest record that was acted on. The broker assigns it,
            so no producer can write one that hides later records.
        changes: counts the changes that were acted on.
        seen: when the newest of them was, by the function's clock.
        said: the health status that this change says.
        known: `changes` when the execution last read the entity; None: it never has.
        causes: Port's ids of those who changed the entity before this remediation asked people.
        closed_at: when the execution before it let the service go.
        settled_at: Port's `updatedAt` of the entity at that time.
        state: of the newest remediation.
        ending: its last step, once it has come to that, so that a repetition ends in the same.
        ended_at: when it came to that.
        interventions: when the service was repaired, or corrected to Healthy.
        escalations: when people were told of it.
    """

    number: int = 0
    execution: str | None = None
    started: bool = False
    offsets: Mapping[str, int] = {}
    changes: int = 0
    seen: datetime
    said: str | None = None
    known: Annotated[int | None, BeforeValidator(_count_only)] = None
    causes: tuple[str, ...] = ()
    closed_at: datetime | None = None
    settled_at: datetime | None = None
    state: State
    ending: LastStep | None = Field(None, discriminator="step")
    ended_at: datetime | None = None
    interventions: tuple[datetime, ...] = ()
    escalations: tuple[datetime, ...] = ()

    @property
    def owner(self) -> str:
        """The execution that is at work, as locks know it; empty if none is."""
        return self.execution or ""

    def redelivered(self, offsets: Mapping[str, int]) -> bool:
        """Whether records were acted on before, unless their topic was made again since."""
        return all(
            offset <= self.offsets.get(partition, -1) for partition, offset in offsets.items()
        )

    def touched(self, updated_at: datetime | None) -> bool:
        """Whether the entity was written after the last execution let the service go.

        Args:
            updated_at: Port's `updatedAt` of the entity; None: the entity is gone.
        """
        return updated_at is not None and (self.settled_at is None or updated_at > self.settled_at)

    def caused_by(self, *people: str) -> "Record":
        """The row with more people who changed the entity."""
        new = [person for person in sorted(people) if person and person not in self.causes]
        return self.changed(causes=(*self.causes, *new)[-_MOST_CAUSES:]) if new else self


class Admission(StrEnum):
    """What a change leads to."""

    STARTED = "a remediation begins"
    JOINED = "the remediation that is at work looks at it"
    OLDER = "this record was acted on before"


def execution_name(service: str, number: int) -> str:
    """The name of a service's n-th execution: of any identifier one that Step Functions takes.

    `slipway.runs.owners.is_execution` knows it by its form.
    """
    return f"{hashlib.sha256(service.encode()).hexdigest()[:32]}-{number}"


def admit(
    record: Record | None,
    change: Change,
    offsets: Mapping[str, int],
    now: datetime,
    updated_at: datetime | None = None,
) -> tuple[Record, Admission]:
    """Decide what a change of a service leads to.

    No time that the change names counts: whoever writes it could write any.

    Args:
        record: the service's row, if there is one.
        change: what the records say.
        offsets: partition → offset of the newest of these records.
        now: the time, in UTC.
        updated_at: Port's `updatedAt` of the entity; needed if `record.redelivered(offsets)`.
    """
    if record is None:
        state = _state(change.entity, change.properties, now)
        record = Record(service=change.entity, seen=now, state=state)
    elif record.redelivered(offsets) and (record.execution or not record.touched(updated_at)):
        return record, Admission.OLDER
    record = record.changed(
        offsets={**record.offsets, **offsets},
        changes=record.changes + 1,
        seen=now,
        said=read_entity(change.properties)[0],
    )
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


def closed(record: Record, now: datetime, settled_at: datetime | None = None) -> Record:
    """The row without its execution, which has ended.

    Args:
        record: the row; without an ending, the execution was stopped.
        now: the time, in UTC.
        settled_at: Port's `updatedAt` of the entity; None: the entity is gone.
    """
    state, ending = record.state, record.ending
    # A correction of what only a record said does not count: records can be forged.
    corrected = isinstance(ending, Healthy) and not ending.synced and not state.restored
    moments = [attempt.began_at for attempt in state.attempts[:1]] or [now] * corrected
    return record.changed(
        execution=None,
        started=False,
        closed_at=now,
        settled_at=min(settled_at, now) if settled_at else None,
        interventions=_recent((*record.interventions, *moments), now),
        escalations=_recent((*record.escalations, *state.escalations), now),
    )


def read_entity(properties: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Read health status, environment and health URL, each None if it is not there."""
    url = _text(properties.get("health_url")) or ""
    return (
        _text(properties.get("health_status")),
        _text(properties.get("environment")),
        url.strip() or None,
    )


def _state(service: str, properties: Mapping[str, Any], now: datetime) -> State:
    status, environment, health_url = read_entity(properties)
    return State(
        service=service,
        environment=environment,
        found=status or "Unknown",
        status=status,
        health_url=health_url,
        started_at=now,
    )


def _recent(moments: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    recent = {moment for moment in moments if moment > now - _REMEMBERED}
    return tuple(sorted(recent)[-_MOST_REMEMBERED:])


def _text(value: object) -> str | None:
    # JSON can write half of a surrogate pair, which no UTF-8, and so no row, can hold.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None
