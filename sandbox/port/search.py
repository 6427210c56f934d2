"""Apply Port's search rules to one entity at a time.

https://docs.port.io/search-and-query/structure-and-syntax
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.port.errors import invalid
from sandbox.port.naming import parse_timestamp

Json = dict[str, Any]
_META = {
    "$identifier": "identifier",
    "$title": "title",
    "$team": "team",
    "$icon": "icon",
    "$createdAt": "createdAt",
    "$updatedAt": "updatedAt",
    "$createdBy": "createdBy",
    "$updatedBy": "updatedBy",
    "$blueprint": "blueprint",
    "$datasource": "$datasource",
}
# Start and end in days from today's midnight. End None: the start counts from now, up to now.
_PRESETS = {
    "today": (0, 1), "yesterday": (-1, 0), "tomorrow": (1, 2), "lastDay": (-1, None),
    "lastWeek": (-7, None), "last2Weeks": (-14, None), "lastMonth": (-30, None),
    "last3Months": (-91, None), "last6Months": (-182, None), "last12Months": (-365, None),
}  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """What rules can refer to besides the entity.

    Attributes:
        user: the caller's properties, for `{"context": "user"}`.
        user_teams: the caller's teams, for `{"context": "userTeams"}`.
        related: returns the (blueprint, identifier) of all entities that are reachable from one.
            Its arguments are blueprint, identifier, direction, and whether to follow only
            required relations.
        definitions: returns a blueprint's property definitions, for `propertySchema`.
        now: the present.
    """

    related: Callable[[str, str, str, bool], Collection[tuple[str, str]]]
    definitions: Callable[[str], dict[str, Json]]
    user: Json = field(default_factory=dict)
    user_teams: tuple[str, ...] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def matches(group: Json, entity: Json, scope: Scope) -> bool:
    """Return whether an entity matches a group of rules.

    Args:
        group: `{"combinator": "and"|"or", "rules": [rule or group]}`.
        entity: the entity's JSON with its `blueprint`.
        scope: what rules can refer to.

    Raises:
        PortApiError: 422 `invalid_request` for an invalid rule.
    """
    if not isinstance(group, dict) or group.get("combinator") not in ("and", "or"):
        raise invalid('A query needs "combinator": "and" or "or"')
    if not isinstance(group.get("rules"), list):
        raise invalid('A query needs "rules", an array')
    decide = all if group["combinator"] == "and" else any
    return decide([_rule_matches(rule, entity, scope) for rule in group["rules"]])


def _rule_matches(rule: Json, entity: Json, scope: Scope) -> bool:
    if not isinstance(rule, dict):
        raise invalid("A rule must be an object")
    if "combinator" in rule:
        return matches(rule, entity, scope)
    operator = rule.get("operator")
    if operator == "relatedTo":
        return _is_related(rule, entity, scope)
    test = _OPERATORS.get(str(operator))
    if test is None:
        raise invalid(f'Unknown operator "{operator}"')
    wanted = _value(rule.get("value"), scope)
    if "propertySchema" in rule:
        names = _properties_of(rule["propertySchema"], scope.definitions(entity["blueprint"]))
        return any(test(entity["properties"].get(name), wanted, scope.now) for name in names)
    return bool(test(_property(rule.get("property"), entity, scope), wanted, scope.now))


def _property(name: Any, entity: Json, scope: Scope) -> Any:
    if isinstance(name, dict):
        return _value(name, scope)
    if not isinstance(name, str):
        raise invalid('A rule needs a "property"')
    if name in _META:
        return entity.get(_META[name])
    properties: Json = entity["properties"]
    return properties.get(name, entity.get("relations", {}).get(name))


def _value(value: Any, scope: Scope) -> Any:
    """Replace `{property, context}` with the caller's property or teams."""
    if not isinstance(value, dict) or "context" not in value:
        return value
    if value["context"] == "userTeams":
        return list(scope.user_teams)
    return scope.user.get(str(value.get("property")).removeprefix("$"))


def _properties_of(wanted: Json, definitions: dict[str, Json]) -> list[str]:
    return [
        name
        for name, definition in definitions.items()
        if all(definition.get(key) == value for key, value in wanted.items())
    ]


def _is_related(rule: Json, entity: Json, scope: Scope) -> bool:
    values = _value(rule.get("value"), scope)
    direction = rule.get("direction", "upstream")
    own = (entity["blueprint"], entity["identifier"])
    for value in values if isinstance(values, list) else [values]:
        start = (str(rule.get("blueprint")), str(value))
        if own in scope.related(*start, str(direction), bool(rule.get("required"))):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return wanted in value
    return isinstance(value, list) and all(item in value for item in _listed(wanted))


def _compare(value: Any, wanted: Any) -> int | None:
    """Return -1, 0 or 1; None if the two cannot be compared."""
    if isinstance(value, str) and isinstance(wanted, str):
        try:
            left: Any = parse_timestamp(value)
            right: Any = parse_timestamp(wanted)
        except ValueError:
            return None
    else:
        left, right = value, wanted
        if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in (left, right)):
            return None
    return int(left > right) - int(left < right)


def _between(value: Any, wanted: Any, now: datetime) -> bool:
    if not isinstance(wanted, dict):
        raise invalid('between needs {"from", "to"} or {"preset"} as its value')
    try:
        start, end = _period(wanted, now)
        return isinstance(value, str) and start <= parse_timestamp(value) < end
    except (ValueError, KeyError) as error:
        raise invalid(f"between: {error}") from error


def _period(wanted: Json, now: datetime) -> tuple[datetime, datetime]:
    if "preset" not in wanted:
        return parse_timestamp(wanted["from"]), parse_timestamp(wanted["to"])
    first, last = _PRESETS[wanted["preset"]]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if last is None:
        return now + timedelta(days=first), now + timedelta(microseconds=1)
    return midnight + timedelta(days=first), midnight + timedelta(days=last)


def _is_expired(value: Any, now: datetime) -> bool:
    return isinstance(value, str) and parse_timestamp(value) < now


def _equals(value: Any, wanted: Any, now: datetime) -> bool:
    if isinstance(wanted, dict) and ("preset" in wanted or "from" in wanted):
        return _between(value, wanted, now)
    return bool(value == wanted)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_OPERATORS: dict[str, Callable[[Any, Any, datetime], bool]] = {
    "=": _equals,
    "!=": lambda v, w, now: not _equals(v, w, now),
    ">": lambda v, w, _: _compare(v, w) == 1,
    ">=": lambda v, w, _: _compare(v, w) in (0, 1),
    "<": lambda v, w, _: _compare(v, w) == -1,
    "<=": lambda v, w, _: _compare(v, w) in (0, -1),
    "contains": lambda v, w, _: _contains(v, w),
    "doesNotContains": lambda v, w, _: not _contains(v, w),
    "containsAny": lambda v, w, _: any(item in _listed(v) for item in _listed(w)),
    "beginsWith": lambda v, w, _: _text(v).startswith(str(w)),
    "doesNotBeginsWith": lambda v, w, _: not _text(v).startswith(str(w)),
    "endsWith": lambda v, w, _: _text(v).endswith(str(w)),
    "doesNotEndsWith": lambda v, w, _: not _text(v).endswith(str(w)),
    "in": lambda v, w, _: v in _listed(w),
    "notIn": lambda v, w, _: v not in _listed(w),
    "matchAny": lambda v, w, _: any(item in _listed(w) for item in _listed(v)),
    "isEmpty": lambda v, _w, _: _is_empty(v),
    "isNotEmpty": lambda v, _w, _: not _is_empty(v),
    "isExpired": lambda v, _w, now: _is_expired(v, now),
    "isNotExpired": lambda v, _w, now: not _is_expired(v, now),
    "between": _between,
    "notBetween": lambda v, w, now: not _between(v, w, now),
}
