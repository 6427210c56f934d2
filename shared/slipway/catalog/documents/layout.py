"""Find where an edit goes in a text, and how to write it there.

This module does not decide whether an edit is right: the document reads the new text and compares.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from slipway.catalog.documents.nodes import BYTE_ORDER_MARK, LINE_BREAK, Node, line_start
from slipway.catalog.documents.writing import (
    json_inline,
    json_lines,
    yaml_block,
    yaml_entry,
    yaml_inline,
    yaml_item,
    yaml_text,
)

type Syntax = Literal["json", "yaml"]
# Replacement for the characters from the first index up to the second.
type Splice = tuple[int, int, str]

_COMMA = re.compile(r",?(\s*)")
_DASH = re.compile(r"[ ]*-[ \t]*")
_COLON = re.compile(r"\s*:\s*")


class Layout:
    """The layout of a text.

    Args:
        text: the text.
        syntax: `json` or `yaml`.
        root: its outermost node.
        end: where a new line at the end of the document goes.
    """

    def __init__(self, text: str, syntax: Syntax, root: Node, end: int) -> None:
        self._text = text
        self._syntax = syntax
        self._root = root
        self._end = end

    def replaced(self, node: Node, key: Node | None, value: Any) -> list[Splice]:
        """Write a value in the place of a node.

        Args:
            node: the node.
            key: its key, unless it is the root or an item of a list.
            value: the value.
        """
        inline = self._inline(value)
        if node.kind == "scalar" and node.start == node.end:
            return self._filled(node, key, value)
        if node.kind in {"scalar", "alias"} or node.flow:
            return [(node.start, self._content_end(node), inline)]
        start, end = self._line_start(node.start), self._next_line(self._content_end(node))
        if node is self._root:
            return [self._lines(start, [inline], end)]
        colon = self._text.find(":", key.end, start) if key else -1
        if key is None or colon < 0 or not self._is_first(node):
            return [(node.start, self._content_end(node), inline)]
        if not isinstance(value, dict | list) or not value:
            return [(colon + 1, colon + 1, f" {inline}"), (start, end, "")]
        indent = self._indent(node)
        if isinstance(value, dict) and indent == self._indent(key):
            indent += "  "
        return [self._lines(start, yaml_block(value, indent), end)]

    def _filled(self, node: Node, key: Node | None, value: Any) -> list[Splice]:
        """Write a value in an empty place, which YAML reads as null."""
        if isinstance(value, dict | list) and value:
            if node is self._root:
                return [self._lines(self._end, yaml_block(value, ""))]
            if key and self._is_first(key):
                lines = yaml_block(value, f"{self._indent(key)}  ")
                return [self._lines(self._next_line(node.start), lines)]
        return [(node.start, node.end, f" {self._inline(value)}")]

    def last_members(self, node: Node, name: str, value: Any) -> list[list[Splice]]:
        """Write a key and value after an object's last one, in several ways."""
        if node.flow:
            return [
                [self._flow_member(node, lambda indent: self._member(node, name, value, indent))]
            ]
        lines = yaml_entry(name, value, self._indent(node.items[0]))
        places = [self._end] if node is self._root else self._ends(node)
        return [[self._lines(at, lines)] for at in places]

    def first_members(self, node: Node, name: str, value: Any) -> list[list[Splice]]:
        """Write a key and value before the first one of a block object."""
        if node.flow or not self._is_first(node.items[0]):
            return []
        lines = yaml_entry(name, value, self._indent(node.items[0]))
        return [[self._lines(self._line_start(node.items[0].start), lines)]]

    def last_items(self, node: Node, value: Any) -> list[list[Splice]]:
        """Write an item after the last one of a list, in several ways."""
        if node.flow:
            return [[self._flow_member(node, partial(self._value, value))]]
        lines = yaml_item(value, self._indent(node))
        return [[self._lines(at, lines)] for at in self._ends(node)]

    def cut(self, node: Node, index: int) -> list[list[Splice]]:
        """Remove one of several members; yields nothing if not possible."""
        spans = self._spans(node)
        start, end = spans[index]
        following = spans[index + 1][0] if index + 1 < len(spans) else None
        if node.flow:
            if following is None:
                return [[(spans[index - 1][1], end, "")]]
            return [] if "#" in self._text[end:following] else [[(start, following, "")]]
        line = self._line_start(start)
        before = self._text[line:start]
        if not before.strip(" ") or (node.kind == "list" and _DASH.fullmatch(before)):
            return [[(line, self._next_line(end), "")]]
        # The first key of an object that begins on the line of a dash.
        return [[(start, following, "")]] if following and node.kind == "object" else []

    # Flow collections and JSON.

    def _flow_member(self, node: Node, render: Callable[[str | None], str]) -> Splice:
        spans = self._spans(node)
        if not spans:
            return self._first_flow_member(node, render)
        before = spans[-2][1] if len(spans) > 1 else node.start + 1
        found = _COMMA.fullmatch(self._text, before, spans[-1][0])
        space = found[1] if found else " "
        if len(spans) == 1 and not LINE_BREAK.search(space):
            space = "" if self._is_dense(node) else " "
        indent = LINE_BREAK.split(space)[-1] if LINE_BREAK.search(space) else None
        return spans[-1][1], spans[-1][1], f",{space}{render(indent)}"

    def _first_flow_member(self, node: Node, render: Callable[[str | None], str]) -> Splice:
        start, end = node.start + 1, node.end - 1
        if self._text[start:end].strip():  # a comment
            return end, end, render(None)
        on_lines = node is self._root or LINE_BREAK.search(self._text.strip())
        if self._syntax == "yaml" or not on_lines:
            return start, end, render(None)
        outer, line_break = self._outer_indent(node), self._line_break(start)
        inner = f"{outer}  "
        return start, end, f"{line_break}{inner}{render(inner)}{line_break}{outer}"

    def _member(self, node: Node, name: str, value: Any, indent: str | None) -> str:
        """Return a key and its value within brackets.

        With an indentation, each has a separate line.
        """
        if self._syntax == "yaml":
            return f"{yaml_text(name)}: {yaml_inline(value)}"
        colon = ": "
        if node.items:
            found = _COLON.fullmatch(self._text, node.items[-2].end, node.items[-1].start)
            colon = found[0] if found else colon
        return f"{json_inline(name)}{colon}{self._value(value, indent)}"

    def _value(self, value: Any, indent: str | None) -> str:
        if self._syntax == "yaml" or indent is None:
            return self._inline(value)
        unit = "\t" if "\t" in indent else "  "
        return self._line_break(0).join(json_lines(value, indent, unit))

    def _inline(self, value: Any) -> str:
        return yaml_inline(value) if self._syntax == "yaml" else json_inline(value)

    def _is_dense(self, node: Node) -> bool:
        """Return whether a JSON object's only member is written without spaces."""
        if self._syntax == "yaml" or node.kind == "list":
            return False
        return self._text[node.items[0].end : node.items[1].start] == ":"

    def _spans(self, node: Node) -> list[tuple[int, int]]:
        if node.kind == "list":
            return [(item.start, self._content_end(item)) for item in node.items]
        return [(key.start, self._content_end(value)) for key, value in node.pairs]

    # Lines.

    def _lines(self, at: int, lines: list[str], until: int | None = None) -> Splice:
        """Write lines at the start of a line, or after an unfinished last line.

        Args:
            at: where they go.
            lines: the lines without their breaks.
            until: index after what they replace, if anything.
        """
        end = at if until is None else until
        line_break = self._line_break(at)
        written = line_break.join(lines)
        before = self._text[:at].removeprefix(BYTE_ORDER_MARK)
        if before and before[-1] not in "\r\n":
            return at, end, f"{line_break}{written}"
        if end > at and self._text[end - 1] not in "\r\n":
            return at, end, written
        return at, end, f"{written}{line_break}"

    def _ends(self, node: Node) -> list[int]:
        """Return where lines after a block may go.

        That is before or after the blank lines that follow it.
        """
        last = node
        while last.items and not last.flow:
            last = last.items[-1]
        places = [self._next_line(self._content_end(last))]
        if last.form == "block":
            places.append(self._line_start(last.end))
        return places

    def _content_end(self, node: Node) -> int:
        while node.items and not node.flow:
            node = node.items[-1]
        if node.kind == "scalar" and node.form == "block":
            return node.start + len(self._text[node.start : node.end].rstrip())
        return node.end

    def _line_break(self, index: int) -> str:
        """Return the line break before a line, or of the first line."""
        start = self._line_start(index)
        before = LINE_BREAK.search(self._text, max(0, start - 2), start)
        found = before or LINE_BREAK.search(self._text)
        return found[0] if found else "\n"

    def _line_start(self, index: int) -> int:
        return line_start(self._text, index)

    def _next_line(self, index: int) -> int:
        found = LINE_BREAK.search(self._text, index)
        return found.end() if found else len(self._text)

    def _is_first(self, node: Node) -> bool:
        """Return whether a node is the first on its line."""
        return not self._text[self._line_start(node.start) : node.start].strip(" ")

    def _indent(self, node: Node) -> str:
        """Return as many spaces as a node has to its left.

        For a key after `?`, as many as that.
        """
        before = self._text[self._line_start(node.start) : node.start]
        return " " * (before.find("?") if "?" in before else len(before))

    def _outer_indent(self, node: Node) -> str:
        line = self._text[self._line_start(node.start) : node.start]
        return line[: len(line) - len(line.lstrip())]
