"""Validate inputs against the form of an action (Port's `userInputs`).

Port checks the same. A caller of Port's API may still send anything, and a form may change while a
run waits. Port alone checks what the form computes by `jqQuery`.
https://docs.port.io/actions-and-automations/create-self-service-experiences/setup-ui-for-action/
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from slipway.catalog.expressions import LARGEST
from slipway.catalog.faults import listed
from slipway.errors import InvalidInput

DRY_RUN = "dry_run"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# Objects that Port may send instead of an identifier, by format: the key that has it.
_IDENTIFYING = {"entity": ("identifier",), "user": ("email",), "team": ("name", "identifier")}
_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("a text", lambda value: isinstance(value, str)),
    "number": ("a number", _is_number),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "object": ("an object", lambda value: isinstance(value, dict)),
}
_OF_LENGTH = {
    "string": ("minLength", "maxLength", "characters"),
    "array": ("minItems", "maxItems", "items"),
}
# In ECMA patterns these mean something else, or nothing.
_NOT_ECMA = re.compile(r"(?<!\\)(?:\\\\)*\\[AZz]")


@dataclass(frozen=True)
class Input:
    """An input of a form.

    Attributes:
        name: its identifier.
        schema: its schema in Port's form.
    """

    name: str
    schema: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Its title for people."""
        return str(self.schema.get("title") or self.name)

    @property
    def type(self) -> str:
        """Port's type: `string`, `number`, `boolean`, `array` or `object`."""
        return str(self.schema.get("type", "string"))

    @property
    def is_encrypted(self) -> bool:
        """Whether Port encrypts the input."""
        return bool(self.schema.get("encryption"))

    def check(self, value: Any) -> Any:
        """Validate a value; entities, users and teams become identifiers.

        Raises:
            InvalidInput: it breaks a rule. The text has the input's title.
        """
        value = _reduced(value, self.schema)
        problem = _problem(value, self.schema)
        if problem:
            raise InvalidInput(self.title, problem)
        return _plain_numbers(value)


@dataclass(frozen=True)
class Form:
    """The form of an action.

    Attributes:
        inputs: the inputs by identifier.
        required: identifiers of those that must be filled in; empty if Port computes it.
    """

    inputs: Mapping[str, Input]
    required: frozenset[str]

    @property
    def needed(self) -> frozenset[str]:
        """The required inputs that every run must have: a hidden one may be missing."""
        hidden = {name for name, one in self.inputs.items() if "visible" in one.schema}
        return self.required - hidden

    @classmethod
    def read(cls, user_inputs: Mapping[str, Any]) -> "Form":
        """Read Port's `userInputs`."""
        properties = user_inputs.get("properties", {})
        required = user_inputs.get("required")
        return cls(
            {name: Input(name, schema) for name, schema in properties.items()},
            frozenset(required if isinstance(required, list) else ()),
        )

    def title(self, name: str) -> str:
        """Return the title of an input."""
        return self.inputs[name].title if name in self.inputs else name

    @cached_property
    def encrypted(self) -> frozenset[str]:
        """Identifiers of the inputs that Port encrypts."""
        return frozenset(name for name, one in self.inputs.items() if one.is_encrypted)

    def check(self, typed: Mapping[str, Any], censored: Iterable[str]) -> dict[str, Any]:
        """Validate the inputs against the form.

        Args:
            typed: the inputs, by identifier.
            censored: the inputs that are encrypted in the message.

        Returns:
            A value for each input of the form. None if it was left out or is encrypted:
            encrypted values are not used.

        Raises:
            InvalidInput: an input breaks a rule.
        """
        hidden, needed = self.encrypted | set(censored), self.needed
        checked: dict[str, Any] = {}
        for name, one in self.inputs.items():
            value = typed.get(name)
            if name in hidden:
                checked[name] = None
            elif value is not None and not (value == "" and name not in self.required):
                checked[name] = one.check(value)
            elif name in needed:
                raise InvalidInput(one.title, "is missing")
            else:
                checked[name] = None
        return checked


def is_dry_run(typed: Mapping[str, Any]) -> bool:
    """Return whether the request is for a preview only.

    Raises:
        InvalidInput: the input is neither true nor false.
    """
    match typed.get(DRY_RUN):
        case None | False:
            return False
        case True:
            return True
    raise InvalidInput("Dry run", "must be true or false")


def _reduced(value: Any, schema: Mapping[str, Any]) -> Any:
    """Replace entities, users and teams by their identifiers."""
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_reduced(item, schema["items"]) for item in value]
    if isinstance(value, dict):
        for key in _IDENTIFYING.get(str(schema.get("format")), ()):
            if isinstance(value.get(key), str):
                return value[key]
    return value


def _plain_numbers(value: Any) -> Any:
    """Convert whole numbers to int: in JSON, 2.0 is 2."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain_numbers(inner) for key, inner in value.items()}
    return value


def _problem(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a value, as the end of "Input … …"."""
    kind = str(schema.get("type", "string"))
    what, fits = _KINDS.get(kind, _KINDS["string"])
    if not fits(value):
        return f"must be {what}"
    if _is_not_json(value):
        return "must be a value of JSON: no NaN, no half of a surrogate pair, no number over 2^53"
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        return f"must be one of {listed(choices)}"
    return _length(value, kind, schema) or _range(value, schema) or _inner(value, schema)


def _is_not_json(value: Any) -> bool:
    if isinstance(value, str):
        return not value.isascii() and bool(re.search("[\ud800-\udfff]", value))
    if isinstance(value, dict):
        return any(_is_not_json(part) for member in value.items() for part in member)
    if isinstance(value, list):
        return any(map(_is_not_json, value))
    # The comparison is false for NaN too. `math.isfinite` fails for an int beyond floats.
    return _is_number(value) and not abs(value) <= LARGEST


def _length(value: Any, kind: str, schema: Mapping[str, Any]) -> str | None:
    least_key, most_key, unit = _OF_LENGTH.get(kind, ("", "", ""))
    return _between(len(value) if unit else None, schema.get(least_key), schema.get(most_key), unit)


def _range(value: Any, schema: Mapping[str, Any]) -> str | None:
    number = value if _is_number(value) else None
    return _between(number, schema.get("minimum"), schema.get("maximum"))


def _between(number: float | None, least: Any, most: Any, unit: str = "") -> str | None:
    least = least if _is_number(least) else None
    most = most if _is_number(most) else None
    low, high = least is not None, most is not None
    if number is None or ((not low or number >= least) and (not high or number <= most)):
        return None
    if low and high:
        span = f"{least} to {most}"
    else:
        span = f"at least {least}" if low else f"at most {most}"
    return f"must have {span} {unit}" if unit else f"must be {span}"


def _inner(value: Any, schema: Mapping[str, Any]) -> str | None:
    if isinstance(value, list):
        items = schema.get("items")
        problems = (_problem(item, items) for item in value) if isinstance(items, dict) else ()
        return next((f"has an item that {problem}" for problem in problems if problem), None)
    pattern = schema.get("pattern")
    if isinstance(value, str) and isinstance(pattern, str):
        compiled = ecma_pattern(pattern)
        if compiled and not compiled.search(value):
            about = schema.get("description")
            return f"must match {pattern}" + (f" ({about})" if about else "")
    return None


@cache
def ecma_pattern(pattern: str) -> re.Pattern[str] | None:
    r"""Read a pattern as Port's form does; None if Python cannot.

    Port checks the patterns that Python cannot read. In ECMA `$` is the very end, but in Python it
    also matches before a last line break. Classes such as `\d` stand for ASCII only.
    """
    if _NOT_ECMA.search(pattern):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error"
        )  # Python warns about syntax that it may read differently in future.
        try:
            return re.compile(_with_strict_end(pattern), re.ASCII)
        except (re.error, Warning, OverflowError, RecursionError):
            return None


def _with_strict_end(pattern: str) -> str:
    written, in_class, position = [], False, 0
    while position < len(pattern):
        width = 2 if pattern[position] == "\\" else 1
        piece = pattern[position : position + width]
        if piece == "$" and not in_class:
            piece = r"\Z"
        in_class = (in_class or piece == "[") and piece != "]"
        written.append(piece)
        position += width
    return "".join(written)
