"""Read JSON text by its tokens."""

import json
import re
from typing import Any, NoReturn

from slipway.catalog.documents.nodes import BYTE_ORDER_MARK, TreeBuilder, refuse
from slipway.errors import DocumentRefused

# Tokens of valid JSON; strings first, because they may contain all others.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|[^\s\[\]{}:,"]+')
_HALF = re.compile("[\ud800-\udfff]")


def read_json(text: str) -> tuple[TreeBuilder, int]:
    """Read a JSON text.

    Returns:
        The tree, and the index in the text at which it ends.

    Raises:
        DocumentRefused: the text is not JSON, or is beyond a limit.
    """
    offset = len(text) - len(text.removeprefix(BYTE_ORDER_MARK))
    try:
        json.loads(text[offset:], parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise refuse(text, error.pos + offset, "is not valid JSON", f": {error.msg}") from None
    except (ValueError, RecursionError):  # Python does not read numbers of more than 4,300 digits.
        raise DocumentRefused("must be JSON of reasonable depth and numbers") from None
    builder = TreeBuilder(text)
    for match in _TOKEN.finditer(text, offset):
        start, end = match.span()
        match match[0][0]:
            case "{":
                builder.open("object", start, end, None, flow=True)
            case "[":
                builder.open("list", start, end, None, flow=True)
            case "}" | "]":
                builder.close(end)
            case '"':
                value = json.loads(match[0])
                if _HALF.search(value):
                    raise refuse(text, start, "must be text: it has half of a surrogate pair")
                builder.scalar(start, end, value, "quoted")
            case _:
                builder.scalar(start, end, match[0], "json")
    return builder, len(text)


def json_reading(text: str) -> tuple[str, Any]:
    """Return kind and value of a JSON scalar that is not a string."""
    value = json.loads(text)
    return {type(None): "null", bool: "bool", int: "int", float: "float"}[type(value)], value


def _refuse_constant(name: str) -> NoReturn:
    raise DocumentRefused(f"must be JSON, which has no {name}")
