"""Model a service's row in the `remediations` table. Pure.

The row admits one execution of the state machine at a time. It outlives the execution, because
cool-downs depend on when the service was repaired and people were notified.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from slipway.catalog.keys import key_of
from slipway.health.changes import Change
from slipway.health.state import Healthy, LastStep, State
from slipway.urls import MAX_URL

# Longer than any period of the policy: an hour for repairs, a week for escalations.
_REMEMBERED = timedelta(days=8)
_MOST_REMEMBERED = 100
_MOST_CAUSES = 20


def _count_only(value: object) -> object:
    # Before 0.1.0 a row had a time here: changes until then count as read.
    return 0 if isinstance(value, str | datetime) else value


class Row(BaseModel):
    """Attributes of every row of the table.

    Attributes:
        service: the row's key.
        version: number of the row's changes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    service: str
    version: int = 0

    def changed(self, **changes: Any) -> Self:
        """Return the row with other values."""
        return self.model_copy(update=changes)


class ServiceRow(Row):
    """The row of an entity, whose key is the entity's key.

    Attributes:
        number: number of the service's remediations.
        execution: the running execution; None: none runs.
        started: whether Step Functions has accepted it.
        offsets: partition → offset of the newest processed record. The broker assigns it,
            so a producer cannot hide later records.
        changes: number of the processed changes.
        seen: time of the newest of them, by the function's clock.
        said: the health status in this change.
        known: `changes` when the execution last read the entity; None: it never has.
        causes: Port's ids of those who changed the entity before this remediation asked approvers.
        closed_at: when the previous execution released the service.
        settled_at: Port's `updatedAt` of the entity at that time.
        state: of the newest remediation.
        ending: its last step, stored so that a repetition ends in the same way.
        ended_at: when it reached that step.
        interventions: when the service was repaired, or corrected to Healthy.
        escalations: when people were notified of it.
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
        """The running execution as the owner of a lock; empty without one."""
        return self.execution or ""

    def redelivered(self, offsets: Mapping[str, int]) -> bool:
        """Return whether records were processed before.

        A recreated topic starts again.
        """
        return all(
            offset <= self.offsets.get(partition, -1) for partition, offset in offsets.items()
        )

    def touched(self, updated_at: datetime | None) -> bool:
        """Return whether the entity was written after the last release.

        Args:
            updated_at: Port's `updatedAt` of the entity; None: the entity is gone.
        """
        return updated_at is not None and (self.settled_at is None or updated_at > self.settled_at)

    def caused_by(self, *people: str) -> "ServiceRow":
        """The row with more people who changed the entity."""
        new = [person for person in sorted(people) if person and person not in self.causes]
        return self.changed(causes=(*self.causes, *new)[-_MOST_CAUSES:]) if new else self


class Admission(StrEnum):
    """The outcome of a change: a new remediation, a running one, or none."""

    STARTED = "started"
    JOINED = "joined"
    REDELIVERED = "redelivered"


def execution_name(service: str, number: int) -> str:
    """Name a service's n-th execution, valid for any identifier."""
    return f"{hashlib.sha256(service.encode()).hexdigest()[:32]}-{number}"


def admit(
    row: ServiceRow | None,
    change: Change,
    offsets: Mapping[str, int],
    now: datetime,
    updated_at: datetime | None = None,
) -> tuple[ServiceRow, Admission]:
    """Decide the outcome of a service's change.

    Times in the change are ignored, because its producer can write any.

    Args:
        row: the service's row, if there is one.
        change: the change in the records.
        offsets: partition → offset of the newest of these records.
        now: the time, in UTC.
        updated_at: Port's `updatedAt` of the entity; needed if `row.redelivered(offsets)`.
    """
    if row is None:
        key = key_of(change.blueprint, change.entity)
        state = _state(key, change.properties, now)
        row = ServiceRow(service=key, seen=now, state=state)
    elif row.redelivered(offsets) and (row.execution or not row.touched(updated_at)):
        return row, Admission.REDELIVERED
    row = row.changed(
        offsets={**row.offsets, **offsets},
        changes=row.changes + 1,
        seen=now,
        said=read_entity(change.properties)[0],
    )
    if row.execution:
        return row.caused_by(*change.by), Admission.JOINED
    row = row.changed(causes=()).caused_by(*change.by)
    return begun(row, change.properties, now), Admission.STARTED


def begun(row: ServiceRow, properties: Mapping[str, Any], now: datetime) -> ServiceRow:
    """Return the row with a new remediation that has not started yet."""
    number = row.number + 1
    state = _state(row.service, properties, now)
    known = {
        # The change's status, because Slipway may have replaced it on the entity.
        "found": row.said or state.found,
        "interventions": row.interventions,
        "escalations": row.escalations,
    }
    return row.changed(
        number=number,
        execution=execution_name(row.service, number),
        started=False,
        known=None,
        ending=None,
        ended_at=None,
        state=state.model_copy(update=known),
    )


def closed(row: ServiceRow, now: datetime, settled_at: datetime | None = None) -> ServiceRow:
    """Return the row without its execution, which has ended.

    Args:
        row: the row; without an ending, the execution was stopped.
        now: the time, in UTC.
        settled_at: Port's `updatedAt` of the entity; None: the entity is gone.
    """
    state, ending = row.state, row.ending
    # A correction of a status that only a record reported does not count: records can be forged.
    corrected = isinstance(ending, Healthy) and not ending.synced and not state.restored
    moments = [attempt.began_at for attempt in state.attempts[:1]] or [now] * corrected
    return row.changed(
        execution=None,
        started=False,
        closed_at=now,
        settled_at=min(settled_at, now) if settled_at else None,
        interventions=_recent((*row.interventions, *moments), now),
        escalations=_recent((*row.escalations, *state.escalations), now),
    )


def read_entity(
    properties: Mapping[str, Any], url: object = None
) -> tuple[str | None, str | None, str | None]:
    """Read health status, environment and health URL; None for missing ones.

    Args:
        properties: of the entity in Port.
        url: the health URL that they name, as the catalog finds it.
    """
    return (
        _text(properties.get("health_status")),
        _text(properties.get("environment")),
        # The probe refuses a longer one anyway.
        (_text(url) or "").strip()[:MAX_URL] or None,
    )


def _state(service: str, properties: Mapping[str, Any], now: datetime) -> State:
    status, environment, _ = read_entity(properties)
    return State(
        service=service,
        environment=environment,
        found=status or "Unknown",
        status=status,
        started_at=now,
    )


def _recent(moments: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    recent = {moment for moment in moments if moment > now - _REMEMBERED}
    return tuple(sorted(recent)[-_MOST_REMEMBERED:])


def _text(value: object) -> str | None:
    # JSON can contain a lone surrogate, which UTF-8 cannot encode.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None
