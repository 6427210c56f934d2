"""Write values as YAML or JSON that every reader reads the same way."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from slipway.catalog.documents.nodes import MAX_DEPTH
from slipway.catalog.documents.scalars import is_word
from slipway.errors import DocumentRefused

# JSON escapes characters below U+0020; YAML also other line breaks, marks and lone surrogates.
_ESCAPED = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]")
_EXPONENT_WITHOUT_POINT = re.compile(r"^(-?[0-9]+)e")


def check_value(value: Any, depth: int = 1) -> None:
    """Refuse a value that no document can contain.

    Raises:
        DocumentRefused: NaN, an infinity, a number of thousands of digits, half of a surrogate
            pair, or more levels than a document may have.
        TypeError: the value is not one of JSON.
    """
    if depth > MAX_DEPTH:
        raise DocumentRefused(f"must be at most {MAX_DEPTH} levels deep")
    match value:
        case dict():
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"not a key of JSON: {key!r}")
                check_value(key)
                check_value(inner, depth + 1)
        case list():
            for inner in value:
                check_value(inner, depth + 1)
        case float() if not math.isfinite(value):
            raise DocumentRefused("cannot have NaN or an infinity")
        case None | bool() | int() | float():
            _number(value)
        case str():
            _refuse_halves(value)
        case _:
            raise TypeError(f"not a value of JSON: {value!r}")


def _refuse_halves(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DocumentRefused("must be text: it has half of a surrogate pair") from None


def _number(value: float | None) -> str:
    try:
        text = json.dumps(value)
    except ValueError:
        raise DocumentRefused("cannot have a number of so many digits") from None
    # YAML 1.1 reads `1e-07` as a text, but `1.0e-07` as a number.
    return _EXPONENT_WITHOUT_POINT.sub(r"\1.0e", text)


def yaml_text(text: str) -> str:
    """Write a text for YAML, quoted unless every reader agrees without."""
    if is_word(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def yaml_inline(value: Any) -> str:
    """Write a value for YAML within one line."""
    match value:
        case str():
            return yaml_text(value)
        case dict():
            members = (f"{yaml_text(key)}: {yaml_inline(inner)}" for key, inner in value.items())
            return f"{{{', '.join(members)}}}"
        case list():
            return f"[{', '.join(map(yaml_inline, value))}]"
    return _number(value)


def yaml_entry(key: str, value: Any, indent: str) -> list[str]:
    """Write a key and its value as lines of a block, without line breaks."""
    name = f"{indent}{yaml_text(key)}:"
    if _is_inline(value):
        return [f"{name} {yaml_inline(value)}"]
    return [name, *yaml_block(value, f"{indent}  ")]


def yaml_block(value: Any, indent: str) -> list[str]:
    """Write a non-empty list or object as lines of a block."""
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in yaml_entry(key, inner, indent)]
    return [line for inner in value for line in yaml_item(inner, indent)]


def yaml_item(value: Any, indent: str) -> list[str]:
    """Write an item of a list as lines of a block, without line breaks."""
    if _is_inline(value):
        return [f"{indent}- {yaml_inline(value)}"]
    first, *others = yaml_block(value, f"{indent}  ")
    return [f"{indent}- {first.removeprefix(f'{indent}  ')}", *others]


def json_inline(value: Any) -> str:
    """Write a value for JSON within one line."""
    return json.dumps(value, ensure_ascii=False)


def json_lines(value: Any, indent: str, unit: str) -> Iterator[str]:
    """Write a value for JSON as lines; the first continues the current line."""
    first, *others = json.dumps(value, ensure_ascii=False, indent=unit).split("\n")
    yield first
    for line in others:
        yield f"{indent}{line}"


def _is_inline(value: Any) -> bool:
    return not isinstance(value, dict | list) or not value
