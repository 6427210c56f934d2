"""Evaluate workflow expressions: contexts, operators, functions.

https://docs.github.com/actions/reference/evaluate-expressions-in-workflows-and-actions
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.github.runner.expressions import (
    NUMBER,
    Binary,
    Call,
    Context,
    ExpressionError,
    Index,
    Literal,
    Node,
    Not,
    double,
    names,
    number,
    parse,
    pieces,
)

STATUS_FUNCTIONS = frozenset({"success", "failure", "always", "cancelled"})
Functions = Mapping[str, Callable[[], bool]]


@dataclass(frozen=True)
class Scope:
    """What an expression can see.

    Attributes:
        contexts: context name → its value.
        functions: the status functions, if the expression may call them.
    """

    contexts: Mapping[str, Any]
    functions: Functions

    def evaluate(self, node: Node) -> Any:
        """Return the value of an expression: null, Boolean, number, string, list or dict.

        Raises:
            ExpressionError: it uses a context or function that is not known here.
        """
        match node:
            case Literal(value):
                return value
            case Context(name):
                if name not in self.contexts:
                    raise ExpressionError(f"this runner does not know the context '{name}' here")
                return self.contexts[name]
            case Index(target, key):
                return _index(self.evaluate(target), self.evaluate(key))
            case Not(operand):
                return not truthy(self.evaluate(operand))
            case Call(name, arguments):
                return self._call(name, [self.evaluate(argument) for argument in arguments])
            case Binary(operator, left, right):
                return self._binary(operator, left, right)

    def _binary(self, operator: str, left: Node, right: Node) -> Any:
        first = self.evaluate(left)
        if operator == "&&":
            return self.evaluate(right) if truthy(first) else first
        if operator == "||":
            return first if truthy(first) else self.evaluate(right)
        second = self.evaluate(right)
        return equal(first, second) == (operator == "==")

    def _call(self, name: str, arguments: list[Any]) -> Any:
        if name in self.functions:
            if arguments:
                raise ExpressionError(f"{name}() takes no arguments in this runner")
            return self.functions[name]()
        if name not in _FUNCTIONS:
            raise ExpressionError(f"this runner does not know the function '{name}' here")
        function, wanted = _FUNCTIONS[name]
        if len(arguments) != wanted:
            raise ExpressionError(f"wrong number of arguments for {name}()")
        return function(*arguments)


def truthy(value: Any) -> bool:
    """Return the truth value: false for false, 0, NaN, '' and null; true for lists and objects."""
    if isinstance(value, list | dict):
        return True
    return bool(value) and value == value  # noqa: PLR0124 - only NaN differs from itself


def to_text(value: Any) -> str:
    """Return a value as text, as GitHub inserts it into a string."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return _number_text(double(value))
        case list():
            return "Array"
        case _:
            return "Object"


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:.15g}" if value else "0"


def to_number(value: Any) -> float:
    """Return a value as a number for a comparison; NaN if it is not a number."""
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return double(value)
        case str():
            text = value.strip()
            if not text:
                return 0.0
            return number(text) if NUMBER.fullmatch(text) else math.nan
        case _:
            return math.nan


def equal(one: Any, other: Any) -> bool:
    """Compare as GitHub does: strings without case, different types as numbers."""
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return one is other
    return to_number(one) == to_number(other)


def _index(target: Any, key: Any) -> Any:
    if isinstance(target, dict):
        name = to_text(key)
        if name in target:
            return target[name]
        folded = name.casefold()
        return next((v for k, v in target.items() if str(k).casefold() == folded), None)
    if isinstance(target, list):
        number = to_number(key)
        if number >= 0 and number.is_integer() and number < len(target):
            return target[int(number)]
    return None


def _starts_with(text: Any, start: Any) -> bool:
    return to_text(text).casefold().startswith(to_text(start).casefold())


# Name → the function and its number of arguments.
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {"startswith": (_starts_with, 2)}


def render(text: str, scope: Scope) -> Any:
    """Replace the expressions in a text.

    The result has the value's type if the text is exactly one expression, or is a string.

    Raises:
        ExpressionError: an expression is wrong.
    """
    parts = pieces(text)
    values = [part if isinstance(part, str) else scope.evaluate(part) for part in parts]
    return values[0] if len(values) == 1 else "".join(to_text(value) for value in values)


def condition(text: str, scope: Scope) -> bool:
    """Evaluate an `if`, with or without `${{ }}`.

    Without a status function, `success()` applies.

    Raises:
        ExpressionError: the expression is wrong.
    """
    stripped = text.strip()
    parts = pieces(stripped) if "${{" in stripped else [parse(stripped)] if stripped else []
    called = set().union(*(names(part) for part in parts if not isinstance(part, str)))
    if not called & STATUS_FUNCTIONS and not scope.functions["success"]():
        return False
    if not parts:
        return True
    values = [part if isinstance(part, str) else scope.evaluate(part) for part in parts]
    # With text around an expression, the condition is a string, which is true unless empty.
    return truthy(values[0] if len(values) == 1 else "".join(to_text(value) for value in values))
