"""The subscription table: which changes of entities start which state machine. Pure.

It is data. The first entries are Slipway's own, health; a team adds its own check or maintenance job
behind it, as JSON::

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

A filter fits if the entity is of that blueprint, every property named has one of its values *after*
the change, and, unless `changed` is empty, at least one of the properties named there differs from
before. Slipway's own health writes fit no filter without `own_writes`, so that nothing that it
writes can start it again. A state machine that writes to the entity which started it must see to
that itself: by naming in `changed` only what it does not write.
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
    """Which changes a subscription is for.

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
        """Whether the subscription is for this change."""
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
        filter: which changes.
        state_machine: name of the state machine in the same account and Region.
    """

    name: Name
    filter: Filter
    state_machine: Name


Table = tuple[Subscription, ...]
_ENTRIES: TypeAdapter[Table] = TypeAdapter(Table)
HEALTH = "health"


def health_subscription(state_machine: str, blueprint: str) -> Subscription:
    """Return Slipway's own entry: entities that became Progressing or Degraded.

    One that stays Degraded is looked at again only if its health settings change: a new owner, for
    example, is not a reason to repair it.
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
    """Return the whole table: health, and the entries that the platform team added.

    Args:
        health: Slipway's own entries, one for each blueprint.
        text: the others, as JSON; may be empty.

    Raises:
        ConfigurationError: the text is no such table; it names the first fault.
    """
    try:
        others = _ENTRIES.validate_python(json.loads(text or "[]"))
        table = (*health, *others)
        names = [HEALTH, *(entry.name for entry in others)]
        twice = {name for name in names if names.count(name) > 1}
        fault = f"the name '{min(twice)}' is there twice" if twice else ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        fault = f"{'.'.join(map(str, first['loc'])) or 'the table'}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        fault = f"it is not JSON ({type(error).__name__})"
    if fault:
        raise ConfigurationError(
            f"The subscription table cannot be used: {fault}. "
            "Correct variable 'subscriptions' and apply the stack again."
        )
    return table


def subscriptions_for(change: Change, table: Sequence[Subscription]) -> Table | Skipped:
    """Select the entries of the table that a change is for.

    Returns:
        At least one entry, or why there is none.
    """
    if change.blueprint not in {entry.filter.blueprint for entry in table}:
        return Skipped(Reason.OTHER_BLUEPRINT, "No subscription is for this blueprint.")
    fitting = tuple(entry for entry in table if entry.filter.fits(change))
    if fitting:
        return fitting
    if change.own:
        return Skipped(Reason.OWN_WRITE, "Slipway wrote this itself.")
    return Skipped(Reason.NOT_SUBSCRIBED, "No subscription is for this change.")
