"""Merge a new definition into an object in Port, with three sides. Pure.

`current` is what Port has, `ours` is the new definition, and `base` is the definition of the last
installation. What only `current` has was added by the organisation and stays. What `base` has and
`ours` lacks was ours and is removed.
"""

from collections.abc import Iterator, Set
from typing import Any

Json = dict[str, Any]
# Objects that are wholly ours: these allow no additions.
_WHOLE = frozenset({"invocationMethod", "visible", "changelogDestination"})
# Port accepts at most one of the two.
_EXCLUSIVE = {"steps": "order", "order": "steps"}
_EMPTY: tuple[object, ...] = (None, False, [], {})


def overlay(current: Json, ours: Json, base: Json | None = None) -> Json:
    """Merge `ours` into `current`, and keep what only `current` has.

    An empty value counts as absent, because servers leave such fields out.
    """
    base = base or {}
    merged = {key: value for key, value in current.items() if key in ours or key not in base}
    for key, value in ours.items():
        there, before = current.get(key), base.get(key)
        if key not in current and value in _EMPTY:
            continue
        if isinstance(value, dict) and isinstance(there, dict) and key not in _WHOLE:
            merged[key] = overlay(there, value, before if isinstance(before, dict) else None)
        elif key == "enum" and isinstance(value, list) and isinstance(there, list):
            known = [*value, *(before if isinstance(before, list) else [])]
            merged[key] = [*value, *(item for item in there if item not in known)]
        elif key in {"order", "required", "steps"} and isinstance(there, list):
            added = _names(current) - _names(ours) - _names(base)
            merge = _with_added_inputs if key == "steps" else _with_added_names
            merged[key] = merge(value, there, added)
        else:
            merged[key] = value
        if key in _EXCLUSIVE:
            merged.pop(_EXCLUSIVE[key], None)
    return merged


def additions(wanted: Json, ours: Json, path: str = "") -> Iterator[str]:
    """Yield where an overlaid object has more than `ours`.

    Places are dotted paths, and values of enums.
    """
    for key, value in wanted.items():
        place, mine = f"{path}{key}", ours.get(key)
        if key not in ours:
            if value not in _EMPTY:
                yield place
        elif isinstance(value, dict) and isinstance(mine, dict):
            yield from additions(value, mine, f"{place}.")
        elif key == "enum" and isinstance(value, list) and isinstance(mine, list):
            yield from (f"{place} {item!r}" for item in value if item not in mine)


def _names(of: Json) -> Set[str]:
    properties: Json = of.get("properties", {})
    return properties.keys()


def _with_added_names(ours: list[str], current: list[str], added: Set[str]) -> list[str]:
    """Return our names, then those that the organisation has added."""
    return [*ours, *(name for name in current if name in added)]


def _with_added_inputs(ours: list[Json], current: list[Json], added: Set[str]) -> list[Json]:
    """Return our steps of a form, with added inputs in their old places."""
    extra = {step["title"]: _with_added_names([], step["order"], added) for step in current}
    merged = [{**s, "order": [*s["order"], *extra.pop(s["title"], [])]} for s in ours]
    return merged + [{**s, "order": extra[s["title"]]} for s in current if extra.get(s["title"])]
