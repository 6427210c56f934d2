"""Edit files of an entity as `action.yaml` says.

Every byte outside an edit stays unchanged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from slipway.catalog.documents import Document, read_document
from slipway.catalog.expressions import has_exact_numbers, templates
from slipway.catalog.faults import shown
from slipway.catalog.files import Append, Remove, Set, UpdateFile
from slipway.catalog.model import Action
from slipway.catalog.patterns import Pattern
from slipway.catalog.request import Target, Tree, files_of, input_title
from slipway.catalog.skeleton import fill_value, syntax_of
from slipway.errors import DocumentRefused, ExpressionRefused, UserError

_TYPES = {
    "null": "null",
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "str": "text",
    "list": "list",
    "dict": "object",
}
_ARTICLES = {
    "text": "a text",
    "number": "a number",
    "whole number": "a whole number",
    "boolean": "true or false",
    "list": "a list",
    "object": "an object",
}


@dataclass(frozen=True)
class Edits:
    """The result of edits.

    Attributes:
        files: path → new text, of the files that differ.
        changes: path in the document → what changes there, for people.
        current: the value before the first edit.
        new: the value after the first edit.
    """

    files: Mapping[str, str]
    changes: Mapping[str, str]
    current: Any
    new: Any


def edit_files(spec: UpdateFile, target: Target, tree: Tree, context: Mapping[str, Any]) -> Edits:
    """Make all edits of an action.

    Raises:
        UserError: a file or path is missing, or cannot be edited safely. The text names
            the file and the line.
    """
    documents: dict[str, Document] = {}
    changes: dict[str, str] = {}
    seen: list[tuple[Any, Any]] = []
    for _, edit in spec.edits:
        path = _path_of(edit, target, tree)
        try:
            document = documents.get(path) or read_document(
                tree.texts[path], syntax_of(path) or "yaml"
            )
            current = document.read(edit.path)
            if not has_exact_numbers(current):
                raise document.refuse(edit.path, f"has a number over 2^53 as '{edit.path}'")

            value_of = partial(_filled, path, {**context, "current": current}, target.action)
            documents[path] = _edited(document, edit, current, value_of)
            new = documents[path].read(edit.path)
        except DocumentRefused as error:
            raise _cannot(path, edit.path, error.problem) from None
        except ExpressionRefused as error:
            found = f"has {shown(current)} there. {str(error)[:-1]}"
            raise _cannot(path, edit.path, found) from None
        seen.append((current, new))
        if documents[path].text != tree.texts[path]:
            changes[edit.path] = f"{_brief(current)} → {_brief(new)}"
    files = {path: one.text for path, one in documents.items() if one.text != tree.texts[path]}
    current, new = seen[0] if seen else (None, None)
    return Edits(files, changes, current, new)


def _filled(path: str, context: Mapping[str, Any], action: Action, source: Any) -> Any:
    """Return the value that an edit writes."""
    return fill_value(path, source, context, partial(input_title, action))


def _path_of(edit: Set | Append | Remove, target: Target, tree: Tree) -> str:
    """Return the first of the edit's files that exists."""
    paths = [Pattern.parse(text).fill(target.parts) for text in files_of(edit)]
    path = next((path for path in paths if path in tree.files), None)
    if path is None:
        raise UserError(
            f"Slipway cannot change '{edit.path}': {' or '.join(paths)} does not exist. Add it on "
            "the base branch, then run this action again."
        )
    if path not in tree.texts:
        raise _cannot(path, edit.path, "is not a file of UTF-8 text, or is too large")
    return path


def _edited(
    document: Document,
    edit: Set | Append | Remove,
    current: Any,
    value_of: Callable[[Any], Any],
) -> Document:
    match edit:
        case Set():
            _refuse_missing(document, edit, current)
            value = value_of(edit.to)
            _refuse_type(document, edit, current, value)
            return document.set(edit.path, value)
        case Append():
            value = value_of(edit.value)
            has = isinstance(current, list) and any(_is(item, value) for item in current)
            return document if has else document.append(edit.path, value)
    value = value_of(edit.value)
    if edit.value is None:
        return document.remove(edit.path)
    if current is not None and not isinstance(current, list):
        raise document.refuse(edit.path, f"must have a list as '{edit.path}'")
    for index in reversed(range(len(current or []))):
        if _is((current or [])[index], value):
            document = document.remove(f"{edit.path}.{index}")
    return document


def _refuse_missing(document: Document, edit: Set, current: Any) -> None:
    uses_current = any(
        root == "current"
        for template in templates(edit.to)
        for expression in template.expressions
        for root, _ in expression.references
    )
    if current is None and (uses_current or not edit.add):
        raise document.refuse(edit.path, f"has no '{edit.path}', looked for")


def _refuse_type(document: Document, edit: Set, current: Any, value: Any) -> None:
    """Refuse an edit that would change a value's type, or breaks its type."""
    place = f"as '{edit.path}'"
    if edit.type is None:
        if current is not None and value is not None and _type(current) != _type(value):
            problem = f"has {shown(current)} {place}, which is not of the type of {shown(value)},"
            raise document.refuse(edit.path, problem)
        return
    for what, one in (("has", current), ("cannot have", value)):
        if one is not None and not _fits(one, edit.type):
            problem = f"{what} {shown(one)} {place}, which must be {_ARTICLES[edit.type]},"
            raise document.refuse(edit.path, problem)


def _fits(value: Any, wanted: str) -> bool:
    return type(value) is int if wanted == "whole number" else _type(value) == wanted


def _type(value: Any) -> str:
    return _TYPES[type(value).__name__]


def _is(one: Any, other: Any) -> bool:
    """Compare as JSON: Python considers 1 and true equal."""
    return shown(one) == shown(other) and bool(one == other)


def _brief(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) and len(value) <= 80 else shown(value)


def _cannot(path: str, place: str, problem: str) -> UserError:
    return UserError(
        f"Slipway cannot change '{place}' in {path}: the file {problem}. Fix that on the base "
        "branch, then run this action again. Or make the change in your own pull request."
    )
