"""Define the nodes of a YAML or JSON text: content and position.

Both readers report their events to one `TreeBuilder`, which has the limits and rules that do not
depend on the syntax.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from slipway.catalog.documents.scalars import identities
from slipway.errors import DocumentRefused

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 40
BYTE_ORDER_MARK = "\ufeff"
LINE_BREAK = re.compile(r"\r\n|\n|\r")

type Kind = Literal["scalar", "alias", "list", "object"]
# How a scalar is written: only a plain one may be ambiguous.
type Form = Literal["plain", "quoted", "block", "json"]
# The content of a node without its position: texts with equal tokens are equivalent.
type Token = tuple[str, str, str, str | None]


@dataclass(slots=True, eq=False)
class Node:
    """A node and its place in the text.

    Attributes:
        kind: its kind; an alias is a separate node.
        start: index of its first character, which is its anchor's if it has one.
        end: index after its last character; for a block collection, of its start.
        value: a scalar's text; of an alias, the anchor's name.
        form: how a scalar is written.
        anchor: the anchor's name.
        flow: whether a collection is written in brackets.
        items: of a list its items; of an object keys and values in turn.
        target: the node that an alias stands for.
        first: index of its first token.
        last: index after its last token.
    """

    kind: Kind
    start: int
    end: int
    value: str = ""
    form: Form = "plain"
    anchor: str | None = None
    flow: bool = False
    items: "list[Node]" = field(default_factory=list)
    target: "Node | None" = None
    first: int = 0
    last: int = 0

    @property
    def pairs(self) -> "list[tuple[Node, Node]]":
        """The keys and values of an object."""
        return list(zip(self.items[::2], self.items[1::2], strict=True))

    @property
    def is_merge_key(self) -> bool:
        """Whether this key is YAML's `<<`, which adds keys of other objects."""
        return self.kind == "scalar" and self.form == "plain" and self.value == "<<"


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, counted from 1."""
    start = line_start(text, index)
    return sum(1 for _ in LINE_BREAK.finditer(text, 0, start)) + 1, index - start + 1


def line_start(text: str, index: int) -> int:
    """Return the index of a line's first character, after any BOM."""
    found = max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1
    return found or len(text) - len(text.removeprefix(BYTE_ORDER_MARK))


def refuse(text: str, index: int, problem: str, consequence: str = "") -> DocumentRefused:
    """Make a refusal: `problem`, the place, `consequence`."""
    line, column = position(text, index)
    place = f"at line {line}, column {column}"
    return DocumentRefused(f"{problem} {place}{consequence}", line, column)


class TreeBuilder:
    """Builds the tree of a text from parser events, in text order.

    Attributes:
        tokens: the tokens of all nodes, in order.
        nodes: for each token its node.
        shared: the nodes that an alias stands for, with the first such alias.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._anchors: dict[str, tuple[Node, int]] = {}
        # Unfinished nodes, each with its size when all aliases are written out.
        self._open: list[tuple[Node, int]] = [(Node("list", 0, 0), 0)]
        self.tokens: list[Token] = []
        self.nodes: list[Node] = []
        self.shared: dict[Node, Node] = {}

    @property
    def root(self) -> Node:
        """The document's node."""
        return self._open[0][0].items[0]

    @property
    def is_empty(self) -> bool:
        """Whether the text has no document."""
        return not self.tokens

    def scalar(
        self, start: int, end: int, value: str, form: Form, anchor: str | None = None
    ) -> None:
        """Add a scalar."""
        node = Node("scalar", start, end, value, form, anchor)
        self._begin(node)
        self._complete(node, 1)

    def alias(self, start: int, end: int, name: str) -> None:
        """Add an alias.

        Raises:
            DocumentRefused: its anchor is not complete; it is a key; it expands too much.
        """
        if name not in self._anchors:
            raise refuse(
                self._text, start, f"uses alias '*{name[:40]}' before its anchor is complete,"
            )
        target, size = self._anchors[name]
        node = Node("alias", start, end, name, target=target)
        self.shared.setdefault(target, node)
        self._begin(node)
        self._complete(node, size)

    def open(
        self,
        kind: Literal["list", "object"],
        start: int,
        end: int,
        anchor: str | None,
        *,
        flow: bool,
    ) -> None:
        """Begin a collection.

        Raises:
            DocumentRefused: it is a key, or too deep.
        """
        node = Node(kind, start, end, anchor=anchor, flow=flow)
        self._begin(node)
        self._open.append((node, 1))
        # A collection's items are one level deeper.
        if len(self._open) > MAX_DEPTH:
            raise refuse(
                self._text, start, f"must be at most {MAX_DEPTH} levels deep, but is deeper"
            )

    def close(self, end: int) -> None:
        """End the collection that began last.

        Raises:
            DocumentRefused: a key is duplicated.
        """
        node, size = self._open.pop()
        if node.flow:
            node.end = end
        if node.kind == "object":
            self._refuse_duplicates(node)
        self._token(("end", "", "", None), node)
        self._complete(node, size)

    def _begin(self, node: Node) -> None:
        parent = self._open[-1][0]
        if parent.kind == "object" and len(parent.items) % 2 == 0 and node.kind != "scalar":
            raise self._key_refused(parent, node)
        if node.anchor:
            # An alias within the node would refer to the node itself, not to an earlier anchor of
            # that name.
            self._anchors.pop(node.anchor, None)
        parent.items.append(node)
        node.first = len(self.tokens)
        form = "" if node.kind in {"list", "object"} else node.form
        self._token((node.kind, node.value, form, node.anchor), node)

    def _token(self, token: Token, node: Node) -> None:
        self.tokens.append(token)
        self.nodes.append(node)

    def _complete(self, node: Node, size: int) -> None:
        node.last = len(self.tokens)
        if node.anchor:
            self._anchors[node.anchor] = (node, size)
        parent, before = self._open[-1]
        self._open[-1] = (parent, before + size)
        if before + size > MAX_NODES:
            raise refuse(
                self._text,
                node.start,
                f"must have at most {MAX_NODES} values with aliases written out, but has more",
            )

    def _key_refused(self, parent: Node, node: Node) -> DocumentRefused:
        # In `{{ x }}`, the inner braces are a key of the outer ones.
        start = parent.start if parent.flow and node.start == parent.start + 1 else node.start
        if self._text.startswith("{{", start):
            consequence = ", which YAML reads as an object. Put it in quotes"
            return refuse(self._text, start, "has an unquoted '{{ … }}'", consequence)
        what = {"alias": "an alias", "list": "a list", "object": "an object"}[node.kind]
        return refuse(self._text, node.start, f"has {what} as a key", ". Use a text as the key")

    def _refuse_duplicates(self, node: Node) -> None:
        known: set[tuple[str, object]] = set()
        for key in node.items[::2]:
            same = {("str", key.value)} if key.form != "plain" else identities(key.value)
            if not known.isdisjoint(same):
                raise refuse(self._text, key.start, f"has the duplicate key '{key.value[:40]}'")
            known |= same
