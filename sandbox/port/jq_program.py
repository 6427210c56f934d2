"""Running jq, with its failures as one exception."""

from functools import lru_cache
from typing import Any

import jq


class JqError(Exception):
    """A jq program is wrong, or fails on its input. The text is jq's own."""


@lru_cache(maxsize=2048)
def _compiled(program: str) -> Any:
    try:
        return jq.compile(program)
    except ValueError as error:
        raise JqError(f"{program!r} is not a valid jq program: {error}") from error


def compiles(program: str) -> bool:
    """Return whether the text is a valid jq program."""
    try:
        _compiled(program)
    except JqError:
        return False
    return True


def evaluate(program: str, value: Any) -> Any:
    """Return the first result of the program, or None if it has none.

    Raises:
        JqError: the program is wrong or fails.
    """
    ready = _compiled(program)
    try:
        return next(iter(ready.input_value(value)), None)
    except ValueError as error:
        raise JqError(f"jq {program!r} failed: {error}") from error
