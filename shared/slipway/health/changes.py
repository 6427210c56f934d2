"""Read messages about changes of entities, and skip irrelevant ones.

Pure.

Port's automations publish them on `ORG_ID.runs`, by the template of `scripts.port_definitions`.
`ORG_ID.change.log` has the same envelope, in organisations that still have that topic. Both topics
carry messages of other consumers, without keys and without a promised order:
https://docs.port.io/actions-and-automations/setup-backend/kafka/
https://docs.port.io/actions-and-automations/define-automations/migrate-from-changelog-destination
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from slipway.port.message import is_run_id

# Each of Slipway's health writes sets a new value, so a change of it marks Slipway's own write.
CHECK_ID = "health_check_id"
# Parts of the entity in `diff` that every write changes.
_BOOKKEEPING = {"createdAt", "createdBy", "updatedBy"}


class Reason(StrEnum):
    """Why a record is skipped; a metric's dimension."""

    TOMBSTONE = "Tombstone"
    UNKNOWN_SHAPE = "UnknownShape"
    OTHER_RESOURCE = "OtherResource"
    OTHER_BLUEPRINT = "OtherBlueprint"
    RESYNC = "Resync"
    TIMER = "Timer"
    FAILED = "FailedChange"
    DELETED = "Deleted"
    NO_CHANGE = "NoChange"
    OWN_WRITE = "OwnWrite"
    OLDER = "Older"
    NOT_SUBSCRIBED = "NotSubscribed"


@dataclass(frozen=True)
class Skipped:
    """A record that is skipped.

    Attributes:
        reason: why, as a metric's dimension.
        sentence: why, for the log.
    """

    reason: Reason
    sentence: str


@dataclass(frozen=True)
class Change:
    """An entity was created or changed.

    Attributes:
        blueprint: identifier of its blueprint.
        entity: its identifier.
        updated_at: when, in UTC, from the record. Its producer chooses it, so it gives no order;
            it only distinguishes two changes.
        properties: the entity's properties after the change.
        changed: what differs: identifiers of properties, and `$title`, `$relations` and so on for
            the other parts of an entity.
        own: whether it was a health write of Slipway.
        by: Port's ids of the people or credentials that made it.
    """

    blueprint: str
    entity: str
    updated_at: datetime
    properties: Mapping[str, Any]
    changed: frozenset[str]
    own: bool
    by: frozenset[str] = frozenset()


def read_change(value: object) -> Change | Skipped:
    """Read a record's value.

    Args:
        value: the received JSON; None for a tombstone.
    """
    try:
        return _foreign(value) or _compare(_Record.model_validate(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return _unknown(f"{'.'.join(map(str, first['loc']))[:200]}: {first['msg'][:200]}")
    except RecursionError:
        return _unknown("it is nested too deeply")


def automation_run(value: object) -> str | None:
    """Return the automation's run behind a message; None: the change log.

    Port leaves that run in progress until a consumer ends it.
    """
    match value:
        case {"resourceType": "entity", "context": {"automationRunId": str(run_id)}}:
            return run_id if is_run_id(run_id) else None
    return None


def _foreign(value: object) -> Skipped | None:
    """Skip records that are not changes of an entity."""
    match value:
        case None:
            return Skipped(Reason.TOMBSTONE, "The record has no value.")
        case {"action": "RESYNC"}:
            return Skipped(Reason.RESYNC, "An integration was asked to resynchronise.")
        case {"resourceType": "entity", "action": "TIMER_EXPIRED"}:
            return Skipped(Reason.TIMER, "A timer expired; no property changed.")
        case {"resourceType": "entity"}:
            return None
        case {"resourceType": str()}:
            return Skipped(Reason.OTHER_RESOURCE, "The record is not of an entity.")
    return _unknown("it has no resourceType")


def merge(changes: Sequence[Change]) -> Change:
    """Merge the changes of one entity, in their order of arrival, into one.

    The result has the state of the last change, and the changed properties of all of them.
    """
    return replace(
        changes[-1],
        changed=frozenset[str]().union(*(change.changed for change in changes)),
        by=frozenset[str]().union(*(change.by for change in changes)),
    )


def _unknown(why: str) -> Skipped:
    return Skipped(Reason.UNKNOWN_SHAPE, f"The record has an unknown form: {why}.")


def _compare(record: "_Record") -> Change | Skipped:
    before, after = record.diff.before, record.diff.after
    if record.status == "FAILURE":
        return Skipped(Reason.FAILED, "The change failed, so the entity is unchanged.")
    if after is None:
        return Skipped(Reason.DELETED, "The entity was deleted.")
    if after.identifier != record.context.entity or after.blueprint != record.context.blueprint:
        return _unknown("its context and its diff belong to different entities")
    updated_at = after.updated_at or record.trigger.at
    if updated_at is None:
        return _unknown("it has neither diff.after.updatedAt nor trigger.at")
    changed = _changed(before, after)
    if not changed:
        return Skipped(Reason.NO_CHANGE, "Nothing changed.")
    return Change(
        blueprint=after.blueprint,
        entity=after.identifier,
        updated_at=updated_at,
        properties=after.properties,
        changed=changed,
        own=CHECK_ID in changed,
        by=frozenset({record.trigger.by.user_id} - {""}),
    )


def _changed(before: "_Entity | None", after: "_Entity") -> frozenset[str]:
    old = before.properties if before else {}
    new = after.properties
    # For Port, a missing property and a null property are the same.
    names = {name for name in old.keys() | new.keys() if _differ(old.get(name), new.get(name))}
    if before is None:
        return frozenset(names | {"$created"})
    rest_old, rest_new = before.rest(), after.rest()
    names |= {
        f"${name}"
        for name in rest_old.keys() | rest_new.keys()
        if _differ(rest_old.get(name), rest_new.get(name))
    }
    return frozenset(names)


def _differ(one: object, other: object) -> bool:
    # As text, because in Python True equals 1, and NaN does not equal itself.
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time that UTC has") from None


_Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
_Identifier = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
# As in Port, so that a record cannot name a row that is not an entity's.
# https://docs.port.io/api-reference/create-an-entity
_EntityIdentifier = Annotated[
    str, StringConstraints(pattern=r"^[\p{L}0-9@_.+:\\/=-]+$", max_length=1000)
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Entity(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    identifier: _EntityIdentifier
    blueprint: _Identifier
    properties: dict[str, Any]
    updated_at: _Time | None = Field(None, alias="updatedAt")

    def rest(self) -> dict[str, Any]:
        """Return the entity's other attributes: title, icon, team, relations."""
        others = self.model_extra or {}
        return {name: value for name, value in others.items() if name not in _BOOKKEEPING}


class _Diff(_Model):
    before: _Entity | None
    after: _Entity | None


class _Context(_Model):
    entity: _EntityIdentifier
    blueprint: _Identifier


class _By(_Model):
    # Timers and Port itself have none.
    user_id: Annotated[str, StringConstraints(max_length=1000)] = Field("", alias="userId")


class _Trigger(_Model):
    at: _Time | None = None
    by: _By = _By()


class _Record(_Model):
    status: str = "SUCCESS"
    context: _Context
    diff: _Diff
    trigger: _Trigger = _Trigger()
