"""The values that a person typed for a service: as an object (JSON) or as text (YAML).

What was typed is kept: YAML stays the text it was, with its comments and its order. Text from
outside is read with limits, so that no document can be larger in memory than it looks.
"""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from slipway.errors import InvalidInput

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 40


@dataclass(frozen=True)
class Values:
    """A values document.

    Attributes:
        field: the input that it was typed into.
        text: the file's content, ending with a line break.
        data: what the content says; always an object.
        extension: `json` or `yaml`.
    """

    field: str
    text: str
    data: dict[str, Any]
    extension: str


def read_values(field: str, typed: object) -> Values:
    """Read what was typed into an input: an object, or a string of YAML (nothing: an object).

    Raises:
        InvalidInput: not an object; not well-formed; a tag; an alias that multiplies; over 256 KiB
            or 40 levels. The text names the input and, where there is one, line and column.
    """
    if isinstance(typed, str):
        return _read_yaml(field, typed)
    if not isinstance(typed, dict):
        raise InvalidInput(field, f"must be an object, not {_kind(typed)}")
    try:
        text = json.dumps(typed, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (ValueError, RecursionError):
        raise InvalidInput(field, "must be JSON of reasonable depth, without NaN") from None
    _check_size(field, text)
    _check_depth(field, typed)
    return Values(field, text, typed, "json")


def read_json_text(field: str, text: str) -> dict[str, Any]:
    """Read a JSON text with the same limits.

    Raises:
        InvalidInput: not an object; not well-formed; over 256 KiB or 40 levels.
    """
    _check_size(field, text)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise InvalidInput(field, f"is not valid JSON {where}: {error.msg}") from None
    except (ValueError, RecursionError):  # ValueError: Python reads no number of 4,301 digits.
        raise InvalidInput(field, "must be JSON of reasonable depth and numbers") from None
    if not isinstance(data, dict):
        raise InvalidInput(field, f"must be an object, not {_kind(data)}")
    _check_depth(field, data)
    return data


def with_defaults(values: Values, defaults: dict[tuple[str, ...], Any]) -> Values:
    """Add what is missing, path by path; nothing that was typed changes.

    Args:
        values: the document.
        defaults: path of keys → value, as `{("image", "tag"): "1.0"}`.

    Returns:
        The same object if nothing was missing, so that its text stays as typed.

    Raises:
        InvalidInput: the document cannot be written in a way that reads back.
    """
    missing = {path: v for path, v in defaults.items() if lookup(values.data, path) is None}
    if not missing:
        return values
    if values.extension == "json":
        data = json.loads(values.text)
        _fill(data, missing)
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        return Values(values.field, text, data, "json")
    yaml = yaml_parser()
    document = yaml.load(values.text)
    comments = ""
    if document is None:  # ruamel keeps comments with values only, and here are none.
        document = {}
        lines = values.text.splitlines(keepends=True)
        comments = "".join(line for line in lines if line.lstrip().startswith("#"))
    _fill(document, missing)
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    text = comments + buffer.getvalue()
    # ruamel does not read all that it writes: what a chart could not read must not be proposed.
    if not _reads_back(text, document):
        raise InvalidInput(values.field, "holds characters that do not survive being written again")
    return Values(values.field, text, document, "yaml")


def _reads_back(text: str, document: dict[str, Any]) -> bool:
    try:
        return bool(_read_yaml("", text).data == document)
    except InvalidInput:
        return False


def lookup(data: object, path: Iterable[str]) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _fill(document: dict[str, Any], missing: dict[tuple[str, ...], Any]) -> None:
    for path, value in missing.items():
        place = document
        for key in path[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[path[-1]] = value


def _check_size(field: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput(field, "must be text: it has half of a surrogate pair") from None
    if size > MAX_BYTES:
        raise InvalidInput(field, f"must be at most 256 KiB, but has {size // 1024} KiB")


def _check_depth(field: str, data: object) -> None:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise InvalidInput(field, f"must be at most {MAX_DEPTH} levels deep")


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "a text"


def yaml_parser() -> Any:
    """The round-trip parser of ruamel, set up so that a text changes as little as possible."""
    # Imported when first needed: most handlers never see YAML, and their start should not pay.
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    # YAML allows to use an anchor's name again; the warning would quote the document in the log.
    yaml.composer.warn_double_anchors = False
    return yaml


def _read_yaml(field: str, typed: str) -> Values:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    text = typed if typed.endswith("\n") else typed + "\n"
    _check_size(field, text)
    try:
        _check_events(field, text)
        data = yaml_parser().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidInput(field, f"is not valid YAML{where}: {error.problem}") from None
    except (
        YAMLError,
        ValueError,
        RecursionError,
        # ruamel's own gaps: keys that are lists of lists, comments beside U+2028 or U+0085.
        TypeError,
        AssertionError,
        NotImplementedError,
    ) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(field, f"is not valid YAML: {first}") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise InvalidInput(field, f"must be an object, not {_kind(data)}")
    return Values(field, text, data, "yaml")


def _check_events(field: str, text: str) -> None:
    """Refuse what a values file has no use for, before anything is built in memory."""
    size = _ExpandedSize(field)
    documents = 0
    for event in yaml_parser().parse(text):
        where = f"at line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"
        kind = type(event).__name__
        documents += kind == "DocumentStartEvent"
        if documents > 1:
            raise InvalidInput(field, f"must be one YAML document, but a second starts {where}")
        if str(getattr(event, "ctag", None) or ""):
            raise InvalidInput(field, f"must not use YAML tags ({event.ctag} {where})")
        size.add(kind, getattr(event, "anchor", None), where)


class _ExpandedSize:
    """Counts nodes as they would be with every alias written out, which is what a chart does."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._anchors: dict[str, int] = {}
        self._open: list[tuple[str | None, int]] = [(None, 0)]

    def add(self, kind: str, anchor: str | None, where: str) -> None:
        """Take one event of ruamel's parser.

        Raises:
            InvalidInput: the document is too large, too deep, or refers to itself.
        """
        match kind:
            case "SequenceStartEvent" | "MappingStartEvent":
                self._open.append((anchor, 1))
            case "SequenceEndEvent" | "MappingEndEvent":
                self._close(*self._open.pop())
            case "ScalarEvent":
                self._close(anchor, 1)
            case "AliasEvent" if anchor in self._anchors:
                self._close(None, self._anchors[anchor])
            case "AliasEvent":
                raise InvalidInput(
                    self._field, f"uses alias '*{anchor}' before its anchor is complete, {where}"
                )
        if len(self._open) > MAX_DEPTH:
            raise InvalidInput(self._field, f"must be at most {MAX_DEPTH} levels deep ({where})")
        if self._open[-1][1] > MAX_NODES:
            raise InvalidInput(
                self._field,
                f"must hold at most {MAX_NODES} values with aliases written out ({where})",
            )

    def _close(self, anchor: str | None, nodes: int) -> None:
        parent, before = self._open[-1]
        self._open[-1] = (parent, before + nodes)
        if anchor:
            self._anchors[anchor] = nodes
