"""Changes one number in a JSON or YAML text and leaves every other character as it is."""

import json
import re
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]  # public, but not in the stubs
from typing import Any

from slipway.actions.values import read_json_text, read_values, yaml_parser
from slipway.errors import InvalidInput, UserError

_SPACE = re.compile(r"[ \t\r\n]*")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class NumberInText:
    """A whole number at the top level of a file's object, and where it stands.

    Attributes:
        path: the file; its ending says whether it is JSON or YAML.
        key: the number's key.
        text: the file's whole text.
        start: index of the number's first character.
        end: index after its last character.
        value: the number.
        data: what the whole text says.
    """

    path: str
    key: str
    text: str
    start: int
    end: int
    value: int
    data: dict[str, Any] = field(repr=False)

    def replaced_by(self, number: int) -> str:
        """The text with another number in its place.

        Raises:
            UserError: the new text would differ from the old one in more than this number.
        """
        text = f"{self.text[: self.start]}{number}{self.text[self.end :]}"
        if _read(self.path, self.key, text) != {**self.data, self.key: number}:
            raise _cannot(self.path, self.key, "more than this number would change with it")
        return text


def find_number(path: str, key: str, text: str) -> NumberInText:
    """Find a whole number at the top level of an object.

    Args:
        path: the file, for the message; its ending says whether it is JSON or YAML.
        key: the number's key.
        text: the file's text.

    Raises:
        UserError: there is none that can be changed safely; the text says why, and what to do.
    """
    data = _read(path, key, text)
    # From here on the text is known to be an object of reasonable size.
    mark = len(text) - len(_body(text))
    spans = _json_spans(_body(text), key) if _is_json(path) else _yaml_spans(_body(text), key)
    if not spans:
        raise _cannot(path, key, f"it has no '{key}' at its top level")
    if len(spans) > 1:
        raise _cannot(path, key, f"it has '{key}' {len(spans)} times at its top level")
    start, end = (mark + index for index in spans[0])
    written = text[start:end]
    if not _WHOLE.fullmatch(written):
        raise _cannot(path, key, f"'{key}' is {written[:40]!r} there, not a plain whole number")
    return NumberInText(path, key, text, start, end, int(written), data)


def _cannot(path: str, key: str, why: str) -> UserError:
    return UserError(
        f"Slipway cannot change '{key}' in {path}: {why}. Mend that on the base branch, so that "
        f"'{key}' is there once, at the top level and as a plain whole number, then start this "
        "action again; or change it by a pull request of your own."
    )


def _is_json(path: str) -> bool:
    return path.endswith(".json")


def _body(text: str) -> str:
    """The text without a byte order mark, which neither parser counts alike."""
    return text.removeprefix(_BYTE_ORDER_MARK)


def _read(path: str, key: str, text: str) -> dict[str, Any]:
    try:
        if _is_json(path):
            return read_json_text(path, _body(text))
        return read_values(path, _body(text)).data
    except InvalidInput as error:
        raise _cannot(path, key, f"it {error.expectation}") from None


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
    """Where the values of `key` stand at the top level of a YAML mapping.

    The span of an alias is that of the node it stands for, and a node's span begins with its
    anchor: neither can be taken for a plain number.
    """
    node = yaml_parser().compose(text)
    return [
        (value.start_mark.index, value.end_mark.index)
        for name, value in getattr(node, "value", [])
        if getattr(name, "value", None) == key
    ]
