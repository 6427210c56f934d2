"""Read an entity from its reviewed files: metadata and properties."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.catalog.documents import Document, read_document
from slipway.catalog.expressions import evaluate, has_exact_numbers
from slipway.catalog.faults import listed, shown
from slipway.catalog.files import FromFile
from slipway.catalog.model import Kind
from slipway.catalog.patterns import Parts, Pattern
from slipway.catalog.request import Tree, files_of, settings_of
from slipway.catalog.skeleton import syntax_of
from slipway.errors import DocumentRefused, ExpressionRefused, UserError


@dataclass(frozen=True)
class ReviewedEntity:
    """The content of the files.

    Attributes:
        entity: body of the entity, with `identifier`, `title`, `properties` and `relations`.
        notes: property or relation → why it could not be read, as a sentence. Its value in Port
            stays unchanged.
        metadata: the metadata file.
        initial: the properties that only a create sets.
    """

    entity: Mapping[str, Any]
    notes: Mapping[str, str]
    metadata: Mapping[str, Any]
    initial: Mapping[str, Any]


def read_metadata(kind: Kind, identifier: str, parts: Parts, tree: Tree) -> dict[str, Any]:
    """Read an entity's metadata file, which people may have edited.

    Raises:
        UserError: it is missing, is not valid, or belongs to another entity.
    """
    path = kind.metadata.fill(parts)
    what = kind.blueprint.title
    if path not in tree.files:
        raise UserError(
            f"{what} '{identifier}' is not in the repository: {path} is missing. It was deleted, "
            "or its pull request is not merged yet. If only its entity remains, unregister it in "
            "Port."
        )
    if path not in tree.texts:
        raise _unreliable(path, "must be a file of UTF-8 text")
    try:
        document = read_document(tree.texts[path], "json")
        metadata = document.value()
    except DocumentRefused as error:
        raise _unreliable(path, error.problem) from None
    for name, expected in (("identifier", identifier), ("blueprint", kind.blueprint.identifier)):
        if metadata.get(name) != expected:
            raise _unreliable(path, f"must have '{name}' {json.dumps(expected)}")
    if not has_exact_numbers(metadata):
        raise _unreliable(path, "must not have a number over 2^53")
    return metadata


def environment_of(kind: Kind, parts: Parts, metadata: Mapping[str, Any]) -> str:
    """Find an entity's environment, which the policy uses.

    Raises:
        UserError: there is none.
    """
    context = {"parts": parts, "metadata": metadata}
    environment = evaluate(kind.spec.environment, context)
    if not isinstance(environment, str) or not 0 < len(environment) <= 100:
        raise _unreliable(kind.metadata.fill(parts), "must give the environment")
    if not environment.isprintable():
        raise _unreliable(kind.metadata.fill(parts), "must give the environment as plain text")
    return environment


def team_of(kind: Kind, parts: Parts, metadata: Mapping[str, Any]) -> str:
    """Find the team that reviews an entity's pull requests, or an empty text."""
    if kind.spec.team is None:
        return ""
    team = evaluate(kind.spec.team, {"parts": parts, "metadata": metadata})
    return team if isinstance(team, str) else ""


def read_entity(
    kind: Kind,
    identifier: str,
    parts: Parts,
    tree: Tree,
    settings: Mapping[str, Any],
    *,
    merged: bool = True,
) -> ReviewedEntity:
    """Read what Port will show of an entity; uncertain values become notes.

    Args:
        kind: its kind.
        identifier: its identifier.
        parts: the identifier's parts.
        tree: its files.
        settings: the installation's `catalog_settings`.
        merged: whether the files are on the base branch, so that `after_merge` counts.

    Raises:
        UserError: its metadata is not valid.
    """
    metadata = read_metadata(kind, identifier, parts, tree)
    properties: dict[str, Any] = {}
    context = {
        "identifier": identifier,
        "parts": parts,
        "metadata": metadata,
        "settings": settings_of(kind.spec, settings),
        # The properties that were read before.
        "properties": properties,
    }
    reader = _Reader(kind, parts, tree, context)
    sources = {**kind.spec.properties, **(kind.spec.after_merge if merged else {})}
    for name, source in sources.items():
        properties |= reader.property(name, source)
    relations: dict[str, Any] = {}
    for name, value in kind.spec.relations.items():
        relations |= reader.relation(name, value)
    title = reader.expression("title", kind.spec.title)
    entity = {
        "identifier": identifier,
        "title": title if isinstance(title, str) and title else identifier,
        "properties": properties,
        "relations": relations,
    }
    initial = {name: reader.expression(name, one) for name, one in kind.spec.initial.items()}
    return ReviewedEntity(entity, reader.notes, metadata, initial)


def with_pull_request(kind: Kind, entity: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return an entity's body with its pull request's address.

    Only if the blueprint has that property.
    """
    own = {"pr_url": url} if "pr_url" in kind.blueprint.properties else {}
    return {**entity, "properties": {**entity["properties"], **own}}


class _Reader:
    def __init__(self, kind: Kind, parts: Parts, tree: Tree, context: Mapping[str, Any]) -> None:
        self.notes: dict[str, str] = {}
        self._documents: dict[str, Document] = {}
        self._kind = kind
        self._parts = parts
        self._tree = tree
        self._context = context

    def property(self, name: str, source: Any) -> dict[str, Any]:
        """Return one property, or nothing."""
        schema = self._kind.blueprint.properties.get(name, {})
        if isinstance(source, FromFile):
            found = self._from_file(name, source)
        else:
            found = [self.expression(name, source)]
        if not found:
            return {}
        value = found[0]
        if schema.get("type") == "string" and type(value) is int:
            value = str(value)  # For example an image tag of digits without quotes.
        problem = misfit(value, schema)
        if problem:
            self._note(name, f"{shown(value)} {problem}")
            return {}
        return {name: value}

    def relation(self, name: str, source: Any) -> dict[str, Any]:
        """Return one relation, or nothing."""
        value = self.expression(name, source)
        many = bool(self._kind.blueprint.relations.get(name, {}).get("many"))
        values = value if isinstance(value, list) else [value]
        fits = all(isinstance(one, str) for one in values) and isinstance(value, list) == many
        if value is None or fits:
            return {name: value}
        self._note(name, f"{shown(value)} is not {'a list of identifiers' if many else 'one'}")
        return {}

    def expression(self, name: str, source: Any) -> Any:
        """Evaluate an expression; None if it fails, which is noted."""
        try:
            return evaluate(source, self._context)
        except ExpressionRefused as error:
            self.notes[name] = f"'{name}' is empty. {error}"
            return None

    def _from_file(self, name: str, source: FromFile) -> list[Any]:
        paths = [Pattern.parse(text).fill(self._parts) for text in files_of(source)]
        path = next((path for path in paths if path in self._tree.files), None)
        if path is None:
            self._note(name, f"{' or '.join(paths)} does not exist")
        elif path not in self._tree.texts:
            self._note(name, f"{path} is not a text of a reasonable size")
        else:
            try:
                return [self._document(path).read(source.path)]
            except DocumentRefused as error:
                self._note(name, f"{path} {error.problem}")
        return []

    def _document(self, path: str) -> Document:
        if path not in self._documents:
            syntax = syntax_of(path) or "yaml"
            self._documents[path] = read_document(self._tree.texts[path], syntax)
        return self._documents[path]

    def _note(self, name: str, problem: str) -> None:
        self.notes[name] = f"'{name}' was not changed: {problem}."


def misfit(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return why Port would refuse a property; None if it would not."""
    if value is None:
        return None
    types: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    wanted = str(schema.get("type"))
    if wanted in types:
        is_flag = isinstance(value, bool) and wanted != "boolean"
        if is_flag or not isinstance(value, types[wanted]):
            return f"is not of type {wanted}"
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        return f"is not one of {listed(choices)}"
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        return next((problem for problem in (misfit(one, items) for one in value) if problem), None)
    return None


def _unreliable(path: str, expectation: str) -> UserError:
    return UserError(
        f"{path} {expectation}. Fix it on the base branch, then run this action again."
    )
