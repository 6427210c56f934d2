"""Represent a YAML or JSON text with its content and edits.

An edit replaces, inserts or removes a few characters, then reads the new text and compares all
tokens. If anything but the edit differs, the edit is refused. So a gap in the rules of the layout
can refuse an edit, but never corrupt a document.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from slipway.catalog.documents.json_text import json_reading, read_json
from slipway.catalog.documents.layout import Layout, Splice, Syntax
from slipway.catalog.documents.nodes import MAX_BYTES, Node, TreeBuilder, position, refuse
from slipway.catalog.documents.paths import join_path, parse_path
from slipway.catalog.documents.scalars import Reading, readings
from slipway.catalog.documents.writing import check_value
from slipway.catalog.documents.yaml_text import read_yaml
from slipway.errors import DocumentRefused

type Keys = tuple[str, ...]

_INDEX = re.compile(r"[0-9]{1,6}")
_KINDS = {
    "null": "null",
    "number": "a number",
    "str": "a text",
    "timestamp": "a date",
    "merge": "a merge key",
    "list": "a list",
    "object": "an object",
    "alias": "an alias",
}


@dataclass(frozen=True)
class _Step:
    """A node on the way along a path, with its key unless root or item."""

    node: Node
    key: Node | None = None


@dataclass(frozen=True)
class _Edit:
    """A way to write an edit, and the content of the new text.

    Attributes:
        splices: the text to write.
        first: index of the first token that is replaced.
        last: index after the last such token.
        content: the new content there: values, or a key and a value.
    """

    splices: list[Splice]
    first: int
    last: int
    content: tuple[Any, ...]


def read_document(text: str, syntax: Syntax) -> "Document":
    """Read a text.

    Args:
        text: the text, with or without a byte order mark.
        syntax: `json` or `yaml`.

    Raises:
        DocumentRefused: the text is not well-formed, not an object, or beyond a limit; or it uses
            what readers of YAML disagree about.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise DocumentRefused("must be text: it has half of a surrogate pair") from None
    if size > MAX_BYTES:
        raise DocumentRefused(f"must have at most {MAX_BYTES} bytes, but has {size} bytes")
    tree, end = read_json(text) if syntax == "json" else read_yaml(text)
    document = Document(text, syntax, tree, end)
    root = tree.root
    if root.kind != "object" and (syntax == "json" or not _is_null(root)):
        raise refuse(text, root.start, f"must be an object, but is {_describe(root)}")
    return document


class Document:
    """A YAML or JSON text of an object; an edit returns a new document.

    Paths are those of `parse_path`. An edit of a missing path adds the objects around the value. A
    null counts as missing, as it does in Helm. Every method raises `DocumentRefused` where readers
    of YAML disagree about a key of the path or the value. An edit also raises it where it would
    change more than the value that it names.

    Attributes:
        text: the text.
        syntax: `json` or `yaml`.
    """

    def __init__(self, text: str, syntax: Syntax, tree: TreeBuilder, end: int) -> None:
        self.text = text
        self.syntax = syntax
        self._tree = tree
        self._layout = Layout(text, syntax, tree.root, end)

    def read(self, path: str) -> Any:
        """Read a value as JSON has it; None if it is missing."""
        steps, rest = self._walk(parse_path(path))
        return None if rest else self._value(steps[-1].node)

    def value(self) -> dict[str, Any]:
        """Read the whole document as JSON has it."""
        value: dict[str, Any] = self._value(self._tree.root) or {}
        return value

    def line_of(self, keys: Keys) -> int:
        """Find the line of the last of these keys that exists, from 1."""
        last = self._walk(keys)[0][-1]
        return position(self.text, (last.key or last.node).start)[0]

    def refuse(self, path: str, problem: str) -> DocumentRefused:
        """Make a refusal that names the place of a path's last existing key."""
        last = self._walk(parse_path(path))[0][-1]
        return refuse(self.text, (last.key or last.node).start, problem)

    def set(self, path: str, value: Any) -> "Document":
        """Set a value. An equal value keeps its formatting."""
        check_value(value)
        keys = parse_path(path)
        steps, rest = self._walk(keys, edit=True)
        node = steps[-1].node
        if rest and node.kind == "list":
            raise refuse(self.text, node.start, f"has only {len(node.items)} items in the list")
        if rest and node.kind == "object":
            return self._apply(keys, node, self._additions(node, rest[0], _nested(rest[1:], value)))
        if not rest and _says(node, value):
            return self
        return self._replace(keys, steps[-1], _nested(rest, value))

    def add_missing(self, path: str, value: Any) -> "Document":
        """Set a value if it is missing."""
        return self if self.read(path) is not None else self.set(path, value)

    def append(self, path: str, value: Any) -> "Document":
        """Add an item to the end of a list, which is created if missing."""
        keys = parse_path(path)
        steps, rest = self._walk(keys, edit=True)
        node = steps[-1].node
        if rest or _is_null(node) or (node.kind == "list" and not node.items):
            return self.set(path, [value])
        if node.kind != "list":
            problem = f"must have a list as '{path}', but has {_describe(node)}"
            raise refuse(self.text, node.start, problem)
        check_value(value)
        self._refuse_shared(node)
        at = node.last - 1
        ways = self._layout.last_items(node, value)
        return self._apply(keys, node, (_Edit(way, at, at, (value,)) for way in ways))

    def remove(self, path: str) -> "Document":
        """Remove a key with its value, or an item; a missing one is fine."""
        keys = parse_path(path)
        steps, rest = self._walk(keys, edit=True)
        if rest:
            return self
        step, parent = steps[-1], steps[-2].node
        if parent.kind == "object":
            self._refuse_merged(parent, keys[-1])
        members = parent.items[::2] if parent.kind == "object" else parent.items
        if len(members) == 1:
            return self._replace(keys, steps[-2], {} if parent.kind == "object" else [])
        self._refuse_shared_within(step.node)
        first = step.key or step.node
        ways = self._layout.cut(parent, members.index(first))
        return self._apply(
            keys, first, (_Edit(way, first.first, step.node.last, ()) for way in ways)
        )

    def _additions(self, node: Node, name: str, value: Any) -> Iterator[_Edit]:
        content = (name, value)
        for way in self._layout.last_members(node, name, value):
            yield _Edit(way, node.last - 1, node.last - 1, content)
        # For a text at the very end that would absorb a line break.
        if node.items:
            for way in self._layout.first_members(node, name, value):
                yield _Edit(way, node.first + 1, node.first + 1, content)

    def _replace(self, keys: Keys, step: _Step, value: Any) -> "Document":
        node = step.node
        self._refuse_shared_within(node)
        if node.anchor:
            problem = f"has the anchor '&{node.anchor[:40]}'"
            raise refuse(self.text, node.start, problem, ", which an edit would remove")
        way = self._layout.replaced(node, step.key, value)
        return self._apply(keys, step.key or node, [_Edit(way, node.first, node.last, (value,))])

    def _apply(self, keys: Keys, node: Node, edits: Iterable[_Edit]) -> "Document":
        """Apply the first edit that changes only its target.

        Raises:
            DocumentRefused: none does.
        """
        for edit in edits:
            text = self.text
            for start, end, written in reversed(edit.splices):
                text = f"{text[:start]}{written}{text[end:]}"
            try:
                new = read_document(text, self.syntax)
            except DocumentRefused as error:
                if error.line is None:
                    raise  # The document would be too large.
                continue
            if self._differs_only_by(edit, new):
                return new
        problem = f"is written in a way that Slipway does not edit '{join_path(keys)}'"
        raise refuse(self.text, node.start, problem, ": more than that would change")

    def _differs_only_by(self, edit: _Edit, new: "Document") -> bool:
        before, after = self._tree.tokens, new._tree.tokens
        end = len(after) - len(before) + edit.last
        if after[: edit.first] != before[: edit.first] or after[end:] != before[edit.last :]:
            return False
        at = edit.first
        for value in edit.content:
            if at >= end or not _says(new._tree.nodes[at], value):
                return False
            at = new._tree.nodes[at].last
        return at == end

    def _walk(self, keys: Keys, *, edit: bool = False) -> tuple[list[_Step], Keys]:
        """Follow a path as far as the document goes.

        Returns:
            The nodes from the root on, and the keys that are missing. An alias is
            followed, but not edited.
        """
        steps = [_Step(self._tree.root)]
        for index, key in enumerate(keys):
            node = steps[-1].node
            if edit:
                self._refuse_shared(node)
            if _is_null(node):
                return steps, keys[index:]
            if node.kind == "object":
                found = self._member(node, key)
            elif node.kind == "list" and _INDEX.fullmatch(key):
                found = _Step(node.items[int(key)]) if int(key) < len(node.items) else None
            else:
                wanted = "an index" if node.kind == "list" else "an object"
                problem = f"has {_describe(node)} as '{join_path(keys[:index])}'"
                raise refuse(
                    self.text, node.start, problem, f", but '{join_path(keys)}' needs {wanted}"
                )
            if found is None:
                return steps, keys[index:]
            steps.append(found if edit else _Step(found.node.target or found.node, found.key))
        return steps, ()

    def _member(self, node: Node, name: str) -> _Step | None:
        for key, value in node.pairs:
            if key.value == name:
                self._refuse_doubtful(key)
                return _Step(value, key)
        self._refuse_merged(node, name)
        return None

    def _value(self, node: Node) -> Any:
        node = node.target or node
        if node.kind == "list":
            return [self._value(item) for item in node.items]
        if node.kind == "object":
            for key in node.items[::2]:
                self._refuse_doubtful(key)
            return {key.value: self._value(value) for key, value in node.pairs}
        found = _readings(node)
        if len(found) > 1:
            raise self._doubtful(node)
        if isinstance(found[0][1], float) and not math.isfinite(found[0][1]):
            raise refuse(self.text, node.start, f"has '{node.value[:40]}', which is not JSON,")
        return found[0][1]

    # The value is refused.

    def _refuse_doubtful(self, key: Node) -> None:
        if _readings(key) != [("str", key.value)]:
            raise self._doubtful(key)

    def _doubtful(self, node: Node) -> DocumentRefused:
        what = _describe(node)
        consequence = f", which readers of YAML take for {what}. Put it in quotes"
        return refuse(self.text, node.start, f"has '{node.value[:40]}'", consequence)

    def _refuse_merged(self, node: Node, name: str) -> None:
        for key, value in node.pairs:
            if key.is_merge_key and name in _merged_names(value):
                problem = f"has '{name}' by the merge key '<<'"
                raise refuse(self.text, key.start, problem, ". Write it out")

    def _refuse_shared(self, node: Node) -> None:
        if node.kind == "alias":
            consequence = ", so an edit would change every use of it. Write it out"
            raise refuse(self.text, node.start, f"has the alias '*{node.value[:40]}'", consequence)
        alias = self._tree.shared.get(node)
        if alias:
            problem = f"has the alias '*{alias.value[:40]}'"
            raise refuse(self.text, alias.start, problem, ", which an edit would change too")

    def _refuse_shared_within(self, node: Node) -> None:
        if node in self._tree.shared:
            self._refuse_shared(node)
        for item in node.items:
            self._refuse_shared_within(item)


def _nested(keys: Keys, value: Any) -> Any:
    """Return a value within as many objects as there are keys."""
    for key in reversed(keys):
        value = {key: value}
    return value


def _readings(node: Node) -> list[Reading]:
    if node.form == "plain":
        return readings(node.value)
    return [json_reading(node.value) if node.form == "json" else ("str", node.value)]


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and _readings(node) == [("null", None)]


def _describe(node: Node) -> str:
    """Describe a node for a message: `a list`, `8 or 10`."""
    if node.kind != "scalar":
        return _KINDS[node.kind]
    return " or ".join(
        _KINDS.get(kind) or json.dumps(value, default=str) for kind, value in _readings(node)
    )


def _says(node: Node, value: Any) -> bool:
    """Return whether every reader reads a node as this value."""
    if isinstance(value, dict):
        members = [part for member in value.items() for part in member]
        return node.kind == "object" and _all_say(node.items, members)
    if isinstance(value, list):
        return node.kind == "list" and _all_say(node.items, value)
    if node.kind != "scalar":
        return False
    found = _readings(node)
    kind = "null" if value is None else type(value).__name__
    # Compared as text, because 1 equals `True` and 1.0 in Python.
    return len(found) == 1 and found[0][0] == kind and repr(found[0][1]) == repr(value)


def _all_say(nodes: list[Node], values: list[Any]) -> bool:
    return len(nodes) == len(values) and all(map(_says, nodes, values))


def _merged_names(node: Node) -> set[str]:
    """Return the keys that a merge key adds, if this is its value."""
    node = node.target or node
    if node.kind == "list":
        return set().union(*map(_merged_names, node.items))
    names: set[str] = set()
    for key, value in node.pairs if node.kind == "object" else ():
        names |= _merged_names(value) if key.is_merge_key else {key.value}
    return names
