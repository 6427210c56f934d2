"""Changes one number in a JSON or YAML text and leaves every other byte as it is."""

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # public, but not in the stubs
from typing import Any

from slipway.actions.values import read_json_text, read_values, yaml_parser
from slipway.errors import InvalidInput, UserError

_SPACE = re.compile(r"[ \t\r\n]*")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class NumberInText:
    """A number, and where it stands.

    Attributes:
        text: the whole text.
        start: index of its first character.
        end: index after its last character.
        value: the number.
    """

    text: str
    start: int
    end: int
    value: int

    def replaced_by(self, number: int) -> str:
        """The text with another number in its place."""
        return f"{self.text[: self.start]}{number}{self.text[self.end :]}"


def find_number(text: str, key: str, *, is_json: bool) -> NumberInText:
    """Find a whole number at the top level of an object.

    Raises:
        UserError: there is none that can be changed safely; the text says why.
    """
    try:
        _read(text, is_json=is_json)
    except InvalidInput as error:
        raise UserError(f"It {error.expectation}.") from None
    # From here on it is known to be an object of reasonable size.
    spans = _json_spans(text, key) if is_json else _yaml_spans(text, key)
    if len(spans) != 1:
        raise UserError(f"'{key}' is in it {len(spans)} times at the top level, not once.")
    start, end = spans[0]
    written = text[start:end]
    if not _WHOLE.fullmatch(written):
        raise UserError(f"'{key}' is {written[:40]!r} there, not a plain whole number.")
    found = NumberInText(text, start, end, int(written))
    if not _only_changes(found, key, is_json=is_json):
        raise UserError(f"'{key}' cannot be changed alone: something else in it refers to it.")
    return found


def _only_changes(found: NumberInText, key: str, *, is_json: bool) -> bool:
    other = found.value + 1
    before = _read(found.text, is_json=is_json)
    after = _read(found.replaced_by(other), is_json=is_json)
    return bool(after == {**before, key: other})


def _read(text: str, *, is_json: bool) -> dict[str, Any]:
    return read_json_text("the file", text) if is_json else read_values("the file", text).data


def _json_spans(text: str, key: str) -> list[tuple[int, int]]:
    """Where the values of `key` stand at the top level of a JSON object."""
    decoder = json.JSONDecoder()
    spans = []
    position = _skip(text, _skip(text, 0) + 1)
    while text[position] == '"':
        name, position = scanstring(text, position + 1)
        start = _skip(text, _skip(text, position) + 1)
        _, position = decoder.raw_decode(text, start)
        if name == key:
            spans.append((start, position))
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return spans


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _yaml_spans(text: str, key: str) -> list[tuple[int, int]]:
    """Where the plain scalars of `key` stand at the top level of a YAML mapping."""
    node = yaml_parser().compose(text)
    pairs = getattr(node, "value", [])
    # An alias is the very node that its anchor names: then the span is elsewhere, and an anchor on
    # the number means that others depend on it, which `_only_changes` finds.
    return [
        (value.start_mark.index, value.end_mark.index)
        for name, value in pairs
        if getattr(name, "value", None) == key
    ]
