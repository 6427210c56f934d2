"""Identifiers, generated ids and timestamps, in Port's formats."""

import re
import secrets
import string
from datetime import UTC, datetime

from sandbox.port.errors import invalid

# \w without `_` is the letters and digits of every script.
_FORMATS = {
    "Blueprint": (re.compile(r"(?!\.{1,2}\Z)(?:[@_.+:\\/-]|[^\W_])+\Z"), 100),
    "Entity": (re.compile(r"(?!\.{1,2}\Z)(?:[@_.+:\\/=-]|[^\W_])+\Z"), 1000),
    "Action": (re.compile(r"(?!\.{1,2}\Z)(?:[@_.+:=-]|[^\W_])+\Z"), 100),
    "Property": (re.compile(r"[A-Za-z0-9@_=\-]+\Z"), 100),
}
_ALPHABET = string.ascii_letters + string.digits


def check_identifier(kind: str, identifier: object) -> str:
    """Return the identifier if it is a legal one for a Blueprint, Entity, Action or Property.

    Raises:
        PortApiError: 422 `invalid_request`.
    """
    pattern, longest = _FORMATS[kind]
    text = identifier if isinstance(identifier, str) else ""
    if len(text) > longest or not pattern.match(text):
        raise invalid(f"{kind} identifier {identifier!r} must match {pattern.pattern!r}")
    return text


def new_id(prefix: str) -> str:
    """Return an id such as `r_` and sixteen letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def timestamp(moment: datetime | None = None) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`: `2022-07-14T11:38:10.629Z`. Default is now."""
    text = (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime:
    """Read ISO 8601; a date-time without an offset is UTC.

    Raises:
        ValueError: it is not a date-time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
