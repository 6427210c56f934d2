"""Property definitions of blueprints, and the JSON Schema that values are checked with."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

from sandbox.port.naming import parse_timestamp

Json = dict[str, Any]
COLORS = Literal[
    "blue", "turquoise", "orange", "purple", "pink", "yellow", "green", "red", "gold", "silver",
    "paleBlue", "darkGray", "lightGray", "bronze", "lime", "olive", "brown",
]  # fmt: skip
TYPES = Literal["string", "number", "boolean", "object", "array"]
FORMATS = Literal[
    "date-time", "url", "email", "idn-email", "ipv4", "ipv6", "markdown", "yaml", "user",
    "blueprints", "team", "timer", "proto", "labeled-url",
]  # fmt: skip
# What of a definition is JSON Schema; the rest is for the form or the page.
_SCHEMA_KEYS = frozenset(
    {
        "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
        "items", "minItems", "maxItems", "uniqueItems", "properties", "required",
        "additionalProperties", "patternProperties",
    }
)  # fmt: skip


class Closed(BaseModel):
    """Base of definitions: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class PropertyDefinition(Closed):
    """A property of a blueprint."""

    type: TYPES
    format: FORMATS | None = None
    spec: Literal["open-api", "embedded-url", "async-api"] | None = None
    spec_authentication: Json | None = None
    title: str | None = None
    description: str | None = None
    icon: str | None = None
    default: Any = None
    enum: list[Any] | None = None
    enum_colors: dict[str, COLORS] | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    items: Json | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool | None = None
    date_format: str | None = None
    properties: Json | None = None
    required: list[str] | None = None
    additional_properties: Any = None
    pattern_properties: Json | None = None

    @field_validator("pattern")
    @classmethod
    def _is_expression(cls, pattern: str | None) -> str | None:
        check_pattern(pattern)
        return pattern


def check_pattern(pattern: str | None) -> None:
    """Refuse an invalid regular expression.

    Raises:
        ValueError: what is wrong with it.
    """
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a valid regular expression: {error}") from error


def value_schema(definition: Json) -> Json:
    """Return the JSON Schema of one value."""
    schema = {key: value for key, value in definition.items() if key in _SCHEMA_KEYS}
    if isinstance(schema.get("items"), dict):
        schema["items"] = value_schema(schema["items"])
    return schema


def check_schema(definition: Json) -> None:
    """Refuse a definition that is not a valid JSON Schema.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        Draft202012Validator.check_schema(value_schema(definition))
    except SchemaError as error:
        raise ValueError(error.message) from error


def faults(definitions: dict[str, Json], required: Iterable[str], values: Json) -> list[str]:
    """Return what is wrong with the values, one sentence each; nothing if they fit.

    Null stands for "no value". Formats that only the form looks at (`yaml`, `markdown`, …) take
    any text.
    """
    given = {key: value for key, value in values.items() if value is not None}
    schema = {
        "type": "object",
        "properties": {key: value_schema(prop) for key, prop in definitions.items()},
        "required": list(required),
        "additionalProperties": False,
    }
    validator = Draft202012Validator(schema, format_checker=_FORMAT_CHECKER)
    return [_sentence(error) for error in validator.iter_errors(given)]


def _sentence(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    return f'"{path}": {error.message}' if path else error.message


_FORMAT_CHECKER = FormatChecker(formats=())


@_FORMAT_CHECKER.checks("url")
def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and not re.search(r"\s", value)


@_FORMAT_CHECKER.checks("email")
@_FORMAT_CHECKER.checks("idn-email")
@_FORMAT_CHECKER.checks("user")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or bool(re.match(r"[^@\s]+@[^@\s]+\Z", value))


@_FORMAT_CHECKER.checks("date-time", raises=ValueError)
@_FORMAT_CHECKER.checks("timer", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and bool(parse_timestamp(value)))


@_FORMAT_CHECKER.checks("ipv4", raises=ValueError)
def _is_ipv4(value: object) -> bool:
    return not isinstance(value, str) or bool(IPv4Address(value))


@_FORMAT_CHECKER.checks("ipv6", raises=ValueError)
def _is_ipv6(value: object) -> bool:
    return not isinstance(value, str) or bool(IPv6Address(value))
