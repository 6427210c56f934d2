"""Fill in a skeleton's files, so that an input stays a value.

YAML and JSON are parsed first, and expressions are evaluated in their texts only. In other files a
result is plain (letters, digits, ` ._@/-`) unless the expression specifies its quoting.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from slipway.catalog.documents import Document, join_path, read_document
from slipway.catalog.expressions import Context, Expression, Template, as_text, parse_template
from slipway.catalog.faults import listed
from slipway.errors import DocumentRefused, InvalidInput, UserError

# Finds the title of the input that an expression gets its result from; None without one.
type TitleOf = Callable[[Expression], str | None]

_PLAIN = re.compile(r"[A-Za-z0-9 ._@/-]*")
# Roots through which untrusted input reaches expressions.
_TYPED = frozenset({"inputs", "metadata", "requester"})
# Syntax that Terraform, charts, workflows and shells evaluate within a text.
_LIVE = ("${", "%{", "{{", "$(")
_EVERYWHERE = frozenset({"@uri", "@base64"})
_ENCODERS = {
    "Terraform": _EVERYWHERE | {"hcl", "hcl_text"},
    "shell": _EVERYWHERE | {"@sh"},
    "other": _EVERYWHERE | {"@json", "@sh", "@html", "hcl", "hcl_text"},
}
_TERRAFORM = (".tf", ".tf.json", ".tfvars", ".tfvars.json", ".hcl")
_SHELL = (".sh", ".bash", ".env")


def syntax_of(path: str) -> Literal["yaml", "json"] | None:
    """Return how a file is parsed; None for other text."""
    if path.endswith(".json"):
        return "json"
    return "yaml" if path.endswith((".yaml", ".yml")) else None


def fill_in(path: str, text: str, context: Context, title_of: TitleOf) -> str:
    """Fill in a file of a skeleton.

    Args:
        path: where it goes; its extension selects the parser.
        text: the skeleton.
        context: the values that expressions can read.
        title_of: finds the input that is to blame for a result.

    Raises:
        InvalidInput: a result is not allowed in its place. The text has the title.
        UserError: an expression fails, or the skeleton cannot be read.
    """
    filler = _Filler(path, context, title_of)
    syntax = syntax_of(path)
    if syntax is None:
        return filler.text(parse_template(text), quoted=True)
    try:
        return filler.document(read_document(text, syntax)).text
    except DocumentRefused as error:
        raise UserError(f"The skeleton of {path} {error.problem}.") from None


def fill_value(path: str, value: Any, context: Context, title_of: TitleOf) -> Any:
    """Evaluate an edit's value for YAML or JSON, by a skeleton's rules.

    Args:
        path: the file.
        value: the value, with expressions.
        context: the values that they can read.
        title_of: finds the input that is to blame for a result.

    Raises:
        InvalidInput: a result is not allowed in the file. The text has the input's title.
        ExpressionRefused: an expression fails.
    """
    return _Filler(path, context, title_of).value(value)


def skeleton_texts(path: str, text: str) -> list[tuple[tuple[str, ...], str]]:
    """Return the evaluated texts of a skeleton's file, with their keys.

    Raises:
        DocumentRefused: the skeleton is YAML or JSON, but cannot be read.
    """
    syntax = syntax_of(path)
    return [((), text)] if syntax is None else list(texts_in(read_document(text, syntax).value()))


def texts_in(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the texts with expressions in a document, each with its keys."""
    if isinstance(value, str) and "{{" in value:
        yield keys, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts_in(inner, (*keys, str(key)))


def encoders_of(path: str) -> frozenset[str]:
    """Return the encoders that make any text safe in a file."""
    if path.endswith(_TERRAFORM):
        return _ENCODERS["Terraform"]
    return _ENCODERS["shell" if path.endswith(_SHELL) else "other"]


class _Filler:
    def __init__(self, path: str, context: Context, title_of: TitleOf) -> None:
        self._path = path
        self._context = context
        self._title_of = title_of
        self._encoders = encoders_of(path)

    def document(self, document: Document) -> Document:
        for keys, text in texts_in(document.value()):
            document = document.set(join_path(keys), self.value(text))
        return document

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            template = parse_template(value)
            return self._whole(template.single) if template.single else self.text(template)
        if isinstance(value, dict):
            return {key: self.value(inner) for key, inner in value.items()}
        return [self.value(inner) for inner in value] if isinstance(value, list) else value

    def text(self, template: Template, *, quoted: bool = False) -> str:
        return "".join(
            piece if isinstance(piece, str) else self._piece(piece, quoted=quoted)
            for piece in template.pieces
        )

    def _whole(self, expression: Expression) -> Any:
        """Return a result that is a whole value; it may have any type."""
        value = expression.evaluate(self._context)
        if not self._is_safe(expression):
            for text in _all_texts(value):
                self._refuse_live(expression, text)
        return value

    def _piece(self, expression: Expression, *, quoted: bool) -> str:
        """Return a result within other text."""
        text = as_text(expression, expression.evaluate(self._context, quoted=quoted))
        if self._is_safe(expression):
            return text
        self._refuse_live(expression, text)
        if not _PLAIN.fullmatch(text):
            raise self._refused(
                expression,
                f"may contain only letters, digits, spaces and ._@/- in {self._path}, because the "
                f"catalog does not quote it (with {listed(sorted(self._encoders))})",
            )
        return text

    def _is_safe(self, expression: Expression) -> bool:
        """Return whether a result has no untrusted input, or is encoded."""
        is_typed = any(root in _TYPED for root, _ in expression.references)
        return not is_typed or expression.encoder in self._encoders

    def _refuse_live(self, expression: Expression, text: str) -> None:
        for live in _LIVE:
            if live in text:
                raise self._refused(expression, f"must not contain '{live}' in {self._path}")

    def _refused(self, expression: Expression, problem: str) -> UserError:
        title = self._title_of(expression)
        return InvalidInput(title, problem) if title else expression.refused(problem)


def _all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _all_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_texts(inner)
