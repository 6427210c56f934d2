"""The grammar of workflow expressions, `${{ … }}`.

https://docs.github.com/actions/reference/evaluate-expressions-in-workflows-and-actions
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LENGTH = 21_000
MAX_DEPTH = 50


class ExpressionError(Exception):
    """An expression is malformed, or uses what this runner does not know; the text names it."""


@dataclass(frozen=True)
class Literal:
    """null, a Boolean, a number or a string."""

    value: bool | float | str | None


@dataclass(frozen=True)
class Context:
    """A context by name, as `github`."""

    name: str


@dataclass(frozen=True)
class Index:
    """`target.key` or `target[key]`."""

    target: "Node"
    key: "Node"


@dataclass(frozen=True)
class Call:
    """A function call; the name in lower case."""

    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """`!operand`."""

    operand: "Node"


@dataclass(frozen=True)
class Binary:
    """An operator between two operands."""

    operator: str
    left: "Node"
    right: "Node"


Node = Literal | Context | Index | Call | Not | Binary

NUMBER = re.compile(
    r"[+-]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII
)
_TOKEN = re.compile(
    r"\s*(?:"
    rf"(?P<number>{NUMBER.pattern}(?![\w.]))"
    r"|(?P<string>'(?:[^']|'')*')"
    r"|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<symbol>&&|\|\||==|!=|[!().,\[\]*])"
    r")",
    re.ASCII,
)
# Weakest first; all of a level bind to the left.
_LEVELS = (("||",), ("&&",), ("==", "!="))
_WORDS: dict[str, bool | float | None] = {
    "null": None,
    "true": True,
    "false": False,
    "nan": math.nan,
    "infinity": math.inf,
}


def parse(text: str) -> Node:
    """Parse the inside of `${{ }}`.

    Raises:
        ExpressionError: it is malformed.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split(text))
        self._at = 0
        self._depth = 0

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise ExpressionError(
                    f"unexpected symbol '{text[position:].strip()[:20]}' in '{text}'"
                )
            yield match.lastgroup, match.group(match.lastgroup)
            position = match.end()

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "end of text")

    def _take(self, wanted: str = "") -> tuple[str, str]:
        kind, text = self._peek()
        if wanted and (kind, text) != ("symbol", wanted):
            raise ExpressionError(f"expected '{wanted}' but found '{text}' in '{self._text}'")
        self._at += 1
        return kind, text

    def whole(self) -> Node:
        node = self._level(0)
        if self._peek()[0] != "end":
            raise ExpressionError(f"unexpected '{self._peek()[1]}' in '{self._text}'")
        return node

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        nested = 0
        while self._peek()[0] == "symbol" and self._peek()[1] in _LEVELS[level]:
            nested += 1
            if nested > MAX_DEPTH:
                raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH}")
            left = Binary(self._take()[1], left, self._level(level + 1))
        return left

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH}")
        try:
            if self._peek() == ("symbol", "!"):
                self._take()
                return Not(self._unary())
            return self._postfix(self._primary())
        finally:
            self._depth -= 1

    def _primary(self) -> Node:
        kind, text = self._take()
        if kind == "number":
            return Literal(number(text))
        if kind == "string":
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "name":
            if text.lower() in _WORDS:
                return Literal(_WORDS[text.lower()])
            if self._peek() == ("symbol", "("):
                return Call(text.lower(), self._arguments())
            return Context(text.lower())
        if text == "(" and kind == "symbol":
            node = self._level(0)
            self._take(")")
            return node
        raise ExpressionError(f"unexpected '{text}' in '{self._text}'")

    def _arguments(self) -> tuple[Node, ...]:
        self._take("(")
        arguments: list[Node] = []
        while self._peek() != ("symbol", ")"):
            if arguments:
                self._take(",")
            arguments.append(self._level(0))
        self._take(")")
        return tuple(arguments)

    def _postfix(self, node: Node) -> Node:
        links = 0
        while self._peek() in {("symbol", "."), ("symbol", "[")}:
            links += 1
            if links > MAX_DEPTH:
                raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH}")
            if self._take()[1] == "[":
                node = Index(node, self._level(0))
                self._take("]")
                continue
            kind, text = self._take()
            if kind != "name":
                what = "the object filter '.*'" if text == "*" else f"'.{text}'"
                raise ExpressionError(f"this runner does not know {what} in '{self._text}'")
            node = Index(node, Literal(text))
        return node


def number(text: str) -> float:
    """Return the value of a number literal."""
    sign = -1.0 if text[0] == "-" else 1.0
    digits = text.lstrip("+-")
    if digits[:2].lower() in {"0x", "0o"}:
        return sign * double(int(digits, 0))
    return sign * float(digits)


def double(value: float) -> float:
    """Return a number as a double: infinity if an int is too large.

    GitHub does not document such numbers. Infinity only keeps the runner from a crash.
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def names(node: Node) -> set[str]:
    """Return the functions that an expression calls."""
    match node:
        case Call(name, arguments):
            return {name}.union(*(names(argument) for argument in arguments))
        case Index(one, other) | Binary(_, one, other):
            return names(one) | names(other)
        case Not(operand):
            return names(operand)
        case _:
            return set()


def pieces(text: str) -> list[str | Node]:
    """Split a text at its `${{ }}`, which may hold `}}` only inside quotes.

    Raises:
        ExpressionError: an expression is malformed or not closed.
    """
    found: list[str | Node] = []
    position = 0
    while (start := text.find("${{", position)) >= 0:
        match = re.compile(r"(?:'(?:[^']|'')*'|[^'])*?\}\}").match(text, start + 3)
        if match is None:
            raise ExpressionError(f"an expression is not closed: '{text[start : start + 40]}'")
        if start > position:
            found.append(text[position:start])
        found.append(parse(text[start + 3 : match.end() - 2]))
        position = match.end()
    if position < len(text) or not found:
        found.append(text[position:])
    return found
