"""Read the documents that people type into a form, in JSON or YAML."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from slipway.catalog.documents import Document, read_document
from slipway.catalog.expressions import evaluate
from slipway.catalog.faults import shown
from slipway.catalog.files import TypedDocument
from slipway.catalog.request import Target, input_title
from slipway.catalog.skeleton import fill_value, syntax_of
from slipway.errors import DocumentRefused, InvalidInput, UserError


def read_typed(
    typed: TypedDocument, path: str, target: Target, context: Mapping[str, Any]
) -> str | None:
    """Make a file from an input. Keeps it byte for byte; adds missing keys.

    Args:
        typed: the document's definition.
        path: where it goes.
        target: the entity, with the form's values.
        context: what expressions see.

    Returns:
        The file's text, or None if no file is needed.

    Raises:
        InvalidInput: the document is not well-formed, or contradicts the form.
    """
    wanted = evaluate(typed.when, context)
    if not isinstance(wanted, bool):
        raise UserError(
            f"The catalog's condition {typed.when!r} gives {shown(wanted)}, but must give true or "
            "false. Ask the platform team to correct it."
        )
    if not wanted:
        return None
    value = target.inputs.get(typed.input)
    title = target.action.form.title(typed.input)
    syntax = syntax_of(path) or "yaml"
    is_empty = value is None or value == {} or (isinstance(value, str) and not value.strip())
    if is_empty:
        value = {} if syntax == "json" else "\n"
    try:
        document = read_document(_text(value), syntax)
        before = document
        for place, source in typed.missing.items():
            value = fill_value(path, source, context, partial(input_title, target.action))
            document = _added(document, place, value, title)
    except DocumentRefused as error:
        raise InvalidInput(title, error.problem) from None
    except (ValueError, RecursionError):
        raise InvalidInput(title, "must be JSON of reasonable depth, without NaN") from None
    if is_empty and document is before and not typed.keep_empty:
        return None
    return document.text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _added(document: Document, place: str, value: Any, title: str) -> Document:
    """Add a missing value to the document; an existing one must be equal."""
    found = document.read(place)
    if value is None:
        return document
    if found is not None and not _is_same(found, value):
        raise InvalidInput(
            title,
            f"has {shown(found)} as '{place}', but the form has {shown(value)}: use the same "
            "value, or leave it out of the document",
        )
    return document.add_missing(place, value)


def _is_same(found: object, value: object) -> bool:
    try:
        return found == value or str(found) == str(value)
    except (
        ValueError
    ):  # Python does not write a number of 4,301 digits, but reads it in hexadecimal.
        return False
