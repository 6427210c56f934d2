"""Decide which changes of entities start which state machine. Pure.

The subscription table is data. The first entries are Slipway's own, health; a team adds its own
check or maintenance job after them, as JSON::

    [
      {
        "name": "scale-audit",
        "state_machine": "acme-scale-audit",
        "filter": {
          "blueprint": "service",
          "properties": {"environment": ["Production"]},
          "changed": ["replicas"]
        }
      }
    ]

A filter matches if the entity has that blueprint, and every named property has one of its values
*after* the change. Unless `changed` is empty, one of the properties there must differ from before.
Slipway's own health writes match only filters with `own_writes`, so they do not start it again.
A state machine that writes to its own entity must prevent that itself: its `changed` must only name
properties that it does not write.
"""

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from slipway.errors import ConfigurationError
from slipway.health.changes import Change, Reason, Skipped
from slipway.health.finding import same_scalar

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Scalar = str | bool | int | float | None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Filter(_Model):
    """The changes that a subscription matches.

    Attributes:
        blueprint: identifier of the entity's blueprint.
        properties: property → the values, one of which it must have after the change.
        changed: properties, one of which must have changed; empty: any change will do.
        own_writes: whether Slipway's own health writes count.
    """

    blueprint: Identifier
    properties: dict[Identifier, Annotated[tuple[Scalar, ...], Field(min_length=1)]] = {}
    changed: frozenset[Identifier] = frozenset()
    own_writes: bool = False

    def fits(self, change: Change) -> bool:
        """Return whether the subscription matches this change."""
        return (
            change.blueprint == self.blueprint
            and (self.own_writes or not change.own)
            and (not self.changed or bool(self.changed & change.changed))
            and all(
                any(same_scalar(change.properties.get(name), value) for value in values)
                for name, values in self.properties.items()
            )
        )


class Subscription(_Model):
    """A filter and what to start.

    Attributes:
        name: names the entry in logs and metrics.
        filter: the matching changes.
        state_machine: name of the state machine in the same account and Region.
    """

    name: Name
    filter: Filter
    state_machine: Name


Table = tuple[Subscription, ...]
_ENTRIES: TypeAdapter[Table] = TypeAdapter(Table)
HEALTH = "health"


def health_subscription(state_machine: str, blueprint: str) -> Subscription:
    """Return Slipway's own entry: entities that became unhealthy.

    Unhealthy is Progressing or Degraded. A service that stays Degraded is checked again only if its
    health settings change. A new owner, for example, is not a reason to repair it.
    """
    return Subscription(
        name=HEALTH,
        filter=Filter(
            blueprint=blueprint,
            properties={"health_status": ("Progressing", "Degraded")},
            changed=frozenset(
                {
                    "health_status",
                    "health_url",
                    "health_expected_status",
                    "health_json_path",
                    "health_json_value",
                }
            ),
        ),
        state_machine=state_machine,
    )


def read_table(health: Table, text: str) -> Table:
    """Return the whole table: health, and the platform team's entries.

    Args:
        health: Slipway's own entries, one for each blueprint.
        text: the others, as JSON; may be empty.

    Raises:
        ConfigurationError: the text is not such a table; the error names the first fault.
    """
    try:
        others = _ENTRIES.validate_python(json.loads(text or "[]"))
        table = (*health, *others)
        names = [HEALTH, *(entry.name for entry in others)]
        twice = {name for name in names if names.count(name) > 1}
        fault = f"the name '{min(twice)}' appears twice" if twice else ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        fault = f"{'.'.join(map(str, first['loc'])) or 'the table'}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        fault = f"it is not JSON ({type(error).__name__})"
    if fault:
        raise ConfigurationError(
            f"The subscription table is not valid: {fault}. "
            "Correct variable 'subscriptions' and apply the stack again."
        )
    return table


def subscriptions_for(change: Change, table: Sequence[Subscription]) -> Table | Skipped:
    """Select the entries of the table that match a change.

    Returns:
        At least one entry, or why none matches.
    """
    if change.blueprint not in {entry.filter.blueprint for entry in table}:
        return Skipped(Reason.OTHER_BLUEPRINT, "No subscription matches this blueprint.")
    fitting = tuple(entry for entry in table if entry.filter.fits(change))
    if fitting:
        return fitting
    if change.own:
        return Skipped(Reason.OWN_WRITE, "Slipway wrote this itself.")
    return Skipped(Reason.NOT_SUBSCRIBED, "No subscription matches this change.")
