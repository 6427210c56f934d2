"""Find resources without Slipway's metadata, and write that. Pure.

The patterns of a kind find a resource. Its metadata is what the kind's create action would have
written: the form's inputs, validated against the form.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.catalog.expressions import evaluate, parse_template, references_of
from slipway.catalog.files import CreateFile
from slipway.catalog.model import Action, Kind
from slipway.catalog.patterns import Part
from slipway.catalog.request import Request, Resource, asked, limits_of, settings_of
from slipway.errors import InvalidInput, UserError

# Used in place of a run's id.
RUN_ID = "adopted"
_EXACT = re.compile(r"\s*\.(?P<root>[a-z]+)\.(?P<name>[A-Za-z_]\w*)\s*")


class _Anything(Part):
    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value != ""


@dataclass(frozen=True)
class Search:
    """What a repository has of a kind.

    Attributes:
        resources: identifier → resource.
        refused: place or identifier → why it cannot be adopted, as a sentence.
    """

    resources: Mapping[str, Resource] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def find_resources(
    kind: Kind, key: str, paths: Iterable[str], keys_of_repository: Iterable[str] = ()
) -> Search:
    """Find the resources of a kind in a repository.

    Args:
        kind: the kind.
        key: the key of the map by which the repository is read.
        paths: all files of the base branch.
        keys_of_repository: all keys that name this repository.
    """
    keys = {key, *keys_of_repository}
    chosen = kind.repository.parts[0] if kind.repository.parts else None
    found: dict[str, Resource] = {}
    refused: dict[str, str] = {}
    for path in paths:
        parts = kind.parts_at(path)
        if parts is None:
            refused |= _nearly(kind, path)
            continue
        if chosen and parts.setdefault(chosen, key) != key:
            if parts[chosen] not in keys:
                refused[path] = f"'{chosen}' of its path is '{parts[chosen]}', another repository."
            continue
        identifier = kind.identifier.fill(parts)
        other = found.setdefault(
            identifier, Resource(kind=kind, identifier=identifier, parts=parts)
        )
        if other.parts != parts:
            refused[identifier] = f"Its files are in two places: {_places(other, parts)}."
    return Search({name: one for name, one in found.items() if name not in refused}, refused)


def _nearly(kind: Kind, path: str) -> dict[str, str]:
    """Return why a path is not valid although it looks like the kind's.

    Empty if the path does not look like one of the kind's.
    """
    anything = {name: _Anything("", "", "") for name in kind.parts}
    for pattern in kind.patterns:
        parts = pattern.read(path, anything) or {}
        for name, value in parts.items():
            part = kind.parts[name]
            if not part.accepts(value):
                place = path[: path.index(value) + len(value)]
                return {place: f"{value!r} cannot be '{name}': it must be {part.message}."}
    return {}


def _places(one: Resource, parts: Mapping[str, str]) -> str:
    return " and ".join(sorted({*one.kind.folders(one.parts), *one.kind.folders(parts)}))


def create_of(kind: Kind) -> tuple[Action, CreateFile]:
    """Return the action whose form and metadata apply.

    Raises:
        UserError: the kind has none.
    """
    for action in kind.actions.values():
        if isinstance(action.spec, CreateFile):
            return action, action.spec
    raise UserError(
        f"The kind '{kind.name}' has no create action, so Slipway does not know what its metadata "
        "must contain. Add one to the catalog."
    )


def inputs_in_port(kind: Kind, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entity in Port says about the metadata's inputs.

    Only for properties that the catalog copies from the metadata, and the metadata from an input.

    Args:
        kind: its kind.
        properties: properties and relations of the entity.
    """
    _, spec = create_of(kind)
    found: dict[str, Any] = {}
    for name, source in {**kind.spec.properties, **kind.spec.relations}.items():
        key = _exact(source, "metadata")
        typed = _exact(spec.metadata.get(key), "inputs") if key else None
        if typed and properties.get(name) is not None:
            found[typed] = properties[name]
    return found


def make_metadata(
    resource: Resource,
    given: Mapping[str, Any],
    *,
    limits: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> str:
    """Write the metadata file of a resource.

    Args:
        resource: the resource.
        given: values of the form's inputs.
        limits: the approval policy's limits of the create.
        settings: the installation's `catalog_settings`.

    Raises:
        UserError: a value is missing, or breaks a rule of the form.
    """
    action, spec = create_of(resource.kind)
    form = action.form
    typed = dict(given)
    for name, source in spec.parts.items():
        if key := _exact(source, "inputs"):
            typed[key] = resource.parts[name]
    used = references_of(spec.metadata, "inputs")
    unknown = sorted(set(given) - form.inputs.keys())
    if unknown:
        raise UserError(f"The form of '{action.identifier}' has no input '{unknown[0]}'.")
    missing = [name for name in form.inputs if name in used & form.required and name not in typed]
    if missing:
        names = ", ".join(f"'{name}' ({form.title(name)})" for name in missing)
        raise UserError(f"Required values are missing: {names}.")
    inputs: dict[str, Any] = dict.fromkeys(form.inputs)
    for name in used & typed.keys():
        if name in form.encrypted:
            raise InvalidInput(form.title(name), "is encrypted and must not be written to a file")
        if typed[name] is not None:
            inputs[name] = form.inputs[name].check(typed[name])
    request = Request(run_id=RUN_ID, action=action.identifier, inputs=inputs)
    context = {
        "inputs": inputs,
        "identifier": resource.identifier,
        "parts": resource.parts,
        "limits": limits_of(action, limits),
        "settings": settings_of(resource.kind.spec, settings),
        **asked(request),
    }
    said = {
        "identifier": resource.identifier,
        **evaluate(spec.metadata, context),
        "blueprint": resource.blueprint,
        "run_id": RUN_ID,
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def _exact(source: object, root: str) -> str | None:
    """Return the name in a plain expression: `team` of `{{ .inputs.team }}`."""
    if not isinstance(source, str) or not (single := parse_template(source).single):
        return None
    match = _EXACT.fullmatch(single.source)
    return match["name"] if match and match["root"] == root else None
