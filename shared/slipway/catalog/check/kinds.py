"""Check a kind: properties, paths, repository, and shared files."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from slipway.catalog.addresses import allowed_urls
from slipway.catalog.check.expressions import Keys, check_place, places_of_kind
from slipway.catalog.documents import parse_path
from slipway.catalog.expressions import references_of
from slipway.catalog.faults import Fault, Source, known, listed, shown
from slipway.catalog.files import CreateFile, FromFile, UpdateFile
from slipway.catalog.model import HEALTH_OPTIONAL, HEALTH_PROPERTIES, OWN_PROPERTIES, Kind
from slipway.catalog.patterns import Pattern
from slipway.catalog.request import files_of
from slipway.errors import ExpressionRefused
from slipway.urls import check_pattern


def check_kind(kind: Kind, settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Find the faults of `resource.yaml`."""
    for place in places_of_kind(kind):
        yield from check_place(kind, place)
    yield from _check_properties(kind)
    yield from _check_health(kind, settings)
    for one, other in combinations(kind.patterns, 2):
        if not one.reads_alike(other) and not one.is_disjoint(other, kind.parts, kind.parts):
            problem = f"One path may be {one.text!r} of one entity and {other.text!r} of another."
            cure = "Give both the same beginning up to their last part, or a different literal."
            yield kind.source.fault(("files",), problem, cure)
    for name, default in kind.spec.settings.items():
        given = settings.get(name)
        if None not in (default, given) and type(default) is not type(given):
            problem = f"'catalog_settings.{name}' does not have the type of the default."
            yield kind.source.fault(("settings", name), problem, "Correct the variable.")


def _check_properties(kind: Kind) -> Iterator[Fault]:
    spec, source = kind.spec, kind.source
    known_properties = list(kind.blueprint.properties)
    own = {*OWN_PROPERTIES, *(HEALTH_PROPERTIES if spec.health else ())}
    for key in ("properties", "after_merge", "initial"):
        for name, value in getattr(spec, key).items():
            if name not in known_properties:
                problem = f"The blueprint has no property '{name}'."
                yield source.fault((key, name), problem, known(known_properties, name))
            if name in own:
                problem = f"Slipway itself writes the property '{name}'."
                yield source.fault((key, name), problem, "Leave it out.")
            if isinstance(value, FromFile):
                yield from check_from_file(kind, source, (key, name), value)
    for name in spec.relations:
        if name not in kind.blueprint.relations:
            cure = known(list(kind.blueprint.relations), name)
            problem = f"The blueprint has no relation '{name}'."
            yield source.fault(("relations", name), problem, cure)
    for part, hint in spec.locate.items():
        if hint not in known_properties:
            problem = f"The blueprint has no property '{hint}'."
            yield source.fault(("locate", part), problem, known(known_properties, hint))


def _check_health(kind: Kind, settings: Mapping[str, Any]) -> Iterator[Fault]:
    health = kind.spec.health
    if health is None:
        return
    properties = kind.blueprint.properties
    optional = {name: wanted for name, wanted in HEALTH_OPTIONAL.items() if name in properties}
    for name, wanted in {**HEALTH_PROPERTIES, **optional}.items():
        if properties.get(name, {}).get("type") != wanted:
            problem = f"The blueprint must have the property '{name}' of type {wanted}."
            yield kind.source.fault(("health",), problem, "Correct blueprint.json.")
    repairs = (("restart", health.restart, "workflow"), ("scale", health.scale, "update"))
    for key, action, operation in repairs:
        fitting = [n for n, one in kind.actions.items() if one.spec.operation == operation]
        if action is not None and action not in fitting:
            problem = f"'{action}' is not an action of this kind that does a {operation}."
            yield kind.source.fault(("health", key), problem, known(fitting, action))
    yield from _check_restart(kind)
    yield from _check_scale(kind)
    yield from _check_allowed(kind, settings)


def _check_restart(kind: Kind) -> Iterator[Fault]:
    """Yield a fault if a repair, which fills in no form, cannot run the action."""
    action = kind.actions.get((kind.spec.health and kind.spec.health.restart) or "")
    if action is not None and action.form.needed:
        names = listed(sorted(action.form.needed))
        problem = f"'{action.identifier}' cannot repair: its form requires {names}."
        cure = "Make its inputs optional: a repair runs it without any."
        yield kind.source.fault(("health", "restart"), problem, cure)


def _check_scale(kind: Kind) -> Iterator[Fault]:
    """Yield a fault if Slipway cannot know how much the action adds."""
    action = kind.actions.get((kind.spec.health and kind.spec.health.scale) or "")
    if action is None or not isinstance(action.spec, UpdateFile) or not action.spec.edits:
        return
    _, edit = action.spec.edits[0]
    names = references_of(edit.model_dump(exclude={"file", "path"}), "inputs")
    types = [action.form.inputs[name].type for name in names if name in action.form.inputs]
    if action.form.needed - names:
        problem = f"'{action.identifier}' cannot repair: its form requires more than that number."
        cure = "Make its other inputs optional: a repair does not fill them in."
        yield kind.source.fault(("health", "scale"), problem, cure)
    if types != ["number"]:
        problem = f"'{action.identifier}' has no first edit that uses one input, a number."
        cure = "Put that edit first, or name another action."
        yield kind.source.fault(("health", "scale"), problem, cure)


def _check_allowed(kind: Kind, settings: Mapping[str, Any]) -> Iterator[Fault]:
    keys = ("health", "allowed")
    try:
        patterns = allowed_urls(kind, settings)
    except (ExpressionRefused, ValueError) as error:
        yield kind.source.fault(keys, f"It fails: {error}", "Correct the expression.")
        return
    for pattern in patterns:
        try:
            check_pattern(pattern)
        except ValueError as error:
            problem = f"The address {shown(pattern)} {error}."
            yield kind.source.fault(keys, problem, "Correct it, or the setting that it comes from.")


def check_environment(kind: Kind) -> Iterator[Fault]:
    """Yield a fault if a part gives the environment but is not used.

    A merge can edit metadata, but not a part.
    """
    metadata_keys = references_of(kind.spec.environment, "metadata")
    creates = [one.spec for one in kind.actions.values() if isinstance(one.spec, CreateFile)]
    for spec in creates:
        typed = {
            name
            for key in metadata_keys
            for name in references_of(spec.metadata.get(key), "inputs")
        }
        for part, value in spec.parts.items():
            if typed & references_of(value, "inputs"):
                cure = f"Use '{{{{ .parts.{part} }}}}'."
                problem = f"The part '{part}' gives the environment, but the metadata is used."
                yield kind.source.fault(("environment",), problem, cure)


def check_from_file(kind: Kind, source: Source, keys: Keys, value: FromFile) -> Iterator[Fault]:
    """Find the faults of a file and of a path in it."""
    for text in files_of(value):
        yield from check_path(kind, source, (*keys, "file"), text)
    try:
        parse_path(value.path)
    except ValueError:
        cure = 'Write keys with dots between them, for example image.tag or a."b.c".'
        yield source.fault((*keys, "path"), f"{value.path!r} is not a path.", cure)


def check_path(kind: Kind, source: Source, keys: Keys, text: str) -> Iterator[Fault]:
    """Yield a fault if an action's path is not one of the kind's files."""
    try:
        pattern = Pattern.parse(text)
    except ValueError as error:
        cure = "See 'Path patterns' in docs/catalog.md."
        yield source.fault(keys, f"The path {error}.", cure)
        return
    unknown = [name for name in pattern.parts if name not in kind.parts]
    if unknown:
        problem = f"'{{{unknown[0]}}}' is not a part."
        yield source.fault(keys, problem, known(list(kind.parts), unknown[0]))
    elif not pattern.is_one_path:
        yield source.fault(keys, f"{text!r} is not a single path.", "Leave out '*'.")
    elif not any(one.covers_all(pattern) for one in kind.patterns):
        cure = f"'files' of resource.yaml has: {listed(kind.spec.files)}."
        yield source.fault(keys, f"{text!r} is not one of the kind's files.", cure)


# -- repositories


def check_repository(kind: Kind, repositories: Mapping[str, str]) -> Iterator[Fault]:
    """Check a kind's repository against the installation's map."""
    keys = _keys_of(kind, repositories)
    if not kind.repository.parts:
        if kind.repository.text not in repositories:
            problem = f"The map of repositories has no '{kind.repository.text}'."
            cure = known(list(repositories), kind.repository.text)
            yield kind.source.fault(("repository",), problem, cure)
        return
    (name,) = kind.repository.parts
    if not keys:
        problem = f"No key of the map of repositories is a value of '{name}'."
        cure = f"Its keys are: {listed(repositories)}."
        yield kind.source.fault(("repository",), problem, cure)
    lacking = [pattern.text for pattern in kind.patterns if name not in pattern.parts]
    for one, other in combinations(keys, 2):
        if lacking and repositories[one] == repositories[other]:
            problem = (
                f"'{one}' and '{other}' are the same repository, but {lacking[0]!r} lacks '{name}'."
            )
            cure = f"Add '{{{name}}}' to every pattern, or use two repositories."
            yield kind.source.fault(("repository",), problem, cure)


def check_overlap(
    one: Kind, other: Kind, repositories: Mapping[str, str] | None
) -> Iterator[Fault]:
    """Yield a fault if two kinds may share paths in one repository."""
    if not _may_share(one, other, repositories):
        return
    for first in one.patterns:
        for second in other.patterns:
            if not first.is_disjoint(second, one.parts, other.parts):
                problem = f"{second.text!r} may share paths with {first.text!r} of '{one.name}'."
                cure = "Give them a different literal segment, or use two repositories."
                yield other.source.fault(("files",), problem, cure)


def _may_share(one: Kind, other: Kind, repositories: Mapping[str, str] | None) -> bool:
    if repositories is None:
        is_open = bool(one.repository.parts or other.repository.parts)
        return is_open or one.repository.text == other.repository.text
    places = [
        {repositories.get(key) for key in _keys_of(kind, repositories)} for kind in (one, other)
    ]
    return not places[0].isdisjoint(places[1])


def _keys_of(kind: Kind, repositories: Mapping[str, str]) -> list[str]:
    """Return the keys that a kind's entities may have."""
    if not kind.repository.parts:
        return [kind.repository.text]
    part = kind.parts[kind.repository.parts[0]]
    return [key for key in repositories if part.accepts(key)]
