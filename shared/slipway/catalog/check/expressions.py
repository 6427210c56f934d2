"""Check a catalog's expressions and the names that they use."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from slipway.catalog.expressions import Expression, templates
from slipway.catalog.faults import Fault, Source, known, listed
from slipway.catalog.files import (
    CreateFile,
    DeleteFile,
    FromFile,
    ResourceFile,
    Set,
    UpdateFile,
    WorkflowFile,
)
from slipway.catalog.model import OWN_METADATA, Action, Kind

type Keys = tuple[object, ...]
type Values = Iterator[tuple[Keys, Any, frozenset[str]]]

_TYPED = frozenset({"inputs", "limits", "requester", "run"})
REQUEST = _TYPED | {"identifier", "parts", "settings"}
_NEW = REQUEST | {"metadata"}
_THERE = _NEW | {"properties"}
_EDITED = _THERE | {"current", "new"}
_REVIEWED = frozenset({"parts", "metadata"})
_ENTITY = _REVIEWED | {"identifier", "settings", "properties"}


@dataclass(frozen=True)
class Place:
    """A value with expressions.

    Attributes:
        source: the file that has it.
        keys: where in the file.
        value: the value.
        roots: the roots of its expressions' context.
        action: the action whose form they see; None in `resource.yaml`.
    """

    source: Source
    keys: Keys
    value: Any
    roots: frozenset[str]
    action: Action | None = None

    @property
    def expressions(self) -> Iterator[Expression]:
        """The expressions.

        Raises:
            ValueError: one does not end.
        """
        for template in templates(self.value):
            yield from template.expressions

    def fault(self, problem: str, cure: str) -> Fault:
        """Make a fault at this place."""
        return self.source.fault(self.keys, problem, cure)


def places_of_kind(kind: Kind) -> Iterator[Place]:
    """Yield the places of `resource.yaml` that have expressions."""
    for keys, value, roots in _values_of_kind(kind.spec):
        yield Place(kind.source, keys, value, roots)


def places_of_action(action: Action) -> Iterator[Place]:
    """Yield the places of `action.yaml` that have expressions.

    Skeletons are separate files.
    """
    match action.spec:
        case CreateFile() as spec:
            words, values = _NEW, _values_of_create(spec)
        case UpdateFile() as spec:
            words, values = _EDITED, _values_of_update(spec)
        case WorkflowFile() as spec:
            found = spec.inputs.items()
            values = ((("inputs", name), one, _THERE) for name, one in found)
            words, values = _THERE, chain(values, [(("done",), spec.done, _THERE)])
        case DeleteFile():
            words, values = _THERE, iter(())
    for keys, value, roots in values:
        yield Place(action.source, keys, value, roots, action)
    for key in ("title", "summary"):
        yield Place(action.source, (key,), getattr(action.spec, key), words, action)
    for key in ("refuse", "nothing_to_do"):
        for index, rule in enumerate(getattr(action.spec, key, ())):
            yield Place(action.source, (key, index, "if"), rule.condition, words, action)
            yield Place(action.source, (key, index, "message"), rule.message, words, action)


def check_place(kind: Kind, place: Place) -> Iterator[Fault]:
    """Find the faults of a value's expressions."""
    try:
        expressions = list(place.expressions)
    except ValueError as error:
        cure = "An expression is '{{ … }}'; a literal '{{' is '{{ \"{{\" }}'."
        yield place.fault(f"The text {error}.", cure)
        return
    for expression in expressions:
        try:
            expression.compile()
        except ValueError as error:
            reason = " ".join(str(error).split())[:200]
            problem = f"'{{{{ {expression.source} }}}}' is not jq: {reason}."
            yield place.fault(problem, "Correct the expression.")
        else:
            yield from _check_references(kind, place, expression)


def _check_references(kind: Kind, place: Place, expression: Expression) -> Iterator[Fault]:
    for name in expression.unknown_roots:
        yield place.fault(
            f"'.{name}' does not exist in an expression.", known(sorted(place.roots), name)
        )
    for root, key in sorted(expression.references, key=str):
        if root not in place.roots:
            cure = f"Available here: {listed('.' + one for one in sorted(place.roots))}."
            yield place.fault(f"'.{root}' is not available here.", cure)
            continue
        names = _NAMES[root](kind, place.action) if root in _NAMES else None
        if key is None or names is None:
            continue
        if key not in names:
            yield place.fault(f"'.{root}.{key}' does not exist.", known(names, key))
        elif root == "inputs" and place.action and key in place.action.form.encrypted:
            problem = f"The input '{key}' is encrypted and must not reach a file."
            yield place.fault(problem, "Use an input that is not encrypted.")


def _values_of_kind(spec: ResourceFile) -> Values:
    yield ("environment",), spec.environment, _REVIEWED
    yield ("team",), spec.team, _REVIEWED
    yield ("title",), spec.title, _ENTITY
    for key in ("properties", "after_merge", "relations", "initial"):
        for name, value in getattr(spec, key).items():
            if not isinstance(value, FromFile):
                yield (key, name), value, _ENTITY
    if spec.health:
        yield ("health", "url"), spec.health.url, _ENTITY
        yield ("health", "allowed"), spec.health.allowed, frozenset({"settings"})


def _values_of_create(spec: CreateFile) -> Values:
    for name, text in spec.parts.items():
        yield ("parts", name), text, _TYPED
    for name, value in spec.metadata.items():
        yield ("metadata", name), value, REQUEST
    for index, document in enumerate(spec.documents):
        yield ("documents", index, "when"), document.when, _NEW
        for name, value in document.missing.items():
            yield ("documents", index, "missing", name), value, _NEW


def _values_of_update(spec: UpdateFile) -> Values:
    for keys, edit in spec.edits:
        if isinstance(edit, Set):
            yield (*keys, "to"), edit.to, _THERE | {"current"}
        else:
            yield (*keys, "value"), edit.value, _THERE | {"current"}


def _metadata_names(kind: Kind) -> list[str] | None:
    specs = [one.spec for one in kind.actions.values()]
    creates = [spec for spec in specs if isinstance(spec, CreateFile)]
    names = {name for spec in creates for name in spec.metadata}
    return sorted({*names, *OWN_METADATA}) if creates else None


# The names in each root of the context; None if unknown.
_NAMES: Mapping[str, Callable[[Kind, Action | None], list[str] | None]] = {
    "inputs": lambda _, action: list(action.form.inputs) if action else [],
    "parts": lambda kind, _: list(kind.parts),
    "metadata": lambda kind, _: _metadata_names(kind),
    "properties": lambda kind, _: [*kind.spec.properties, *kind.spec.after_merge],
    "limits": lambda _, action: list(action.spec.limits) if action else [],
    "settings": lambda kind, _: list(kind.spec.settings),
    "requester": lambda *_: ["id", "email", "name"],
    "run": lambda *_: ["id", "url", "requested_at"],
}
