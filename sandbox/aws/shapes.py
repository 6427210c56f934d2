"""Holds parameters and answers against AWS's own service models, as botocore carries them.

botocore itself checks types and lower limits only. AWS also refuses what is too long, too many,
not in an enumeration or not of a pattern.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Real
from typing import Any

import regex  # type: ignore[import-untyped]  # it ships none
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

# A pattern is matched against text of unknown origin: what takes longer is given up as a match.
PATTERN_SECONDS = 1.0
SHOWN_CHARACTERS = 100
# What `sandbox.aws.calls.recordable` writes instead of a value.
_LEFT_OUT = regex.compile(r"<(\w+|\d+ characters)>")
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (Real,),
    "double": (Real,),
}


def faults(
    value: Any,
    shape: Shape | None,
    place: str = "",
    is_unknown: Callable[[Any], bool] = lambda _: False,
) -> Iterator[str]:
    """Yield everything about a value that its shape does not allow, each with its place.

    Args:
        value: Parsed parameters or a parsed answer, or a part of one.
        shape: The shape of it; None allows anything.
        place: Where the value is, for the texts: `Environment.Variables`.
        is_unknown: Whether a part stands for one that was left out, and is not judged.
    """
    if shape is None or is_unknown(value):
        return
    types = _PYTHON_TYPES.get(shape.type_name)
    if types is None:  # blobs and times, which have a form of their own in each protocol
        return
    is_of_type = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if not is_of_type:
        yield f"{place or 'it'} is a {type(value).__name__}, not a {shape.type_name}"
        return
    yield from _limits(value, shape, place)
    if isinstance(shape, StructureShape):
        yield from _structure(value, shape, place)
    if isinstance(shape, StringShape):
        yield from _text(value, shape, place)
    for member, member_shape, member_place in _members(value, shape, place):
        yield from faults(member, member_shape, member_place, is_unknown)


def is_left_out(value: Any) -> bool:
    """Return whether a recorded value stands for one that was secret, binary or large."""
    return isinstance(value, str) and _LEFT_OUT.fullmatch(value) is not None


def _members(value: Any, shape: Shape, place: str) -> Iterator[tuple[Any, Shape, str]]:
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if member is not None and name in shape.members:
                yield member, shape.members[name], f"{place}.{name}" if place else name
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield key, shape.key, f"{place} (key)"
            yield member, shape.value, f"{place}.{key}"
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value):
            yield member, shape.member, f"{place}[{index}]"


def _structure(value: Mapping[str, Any], shape: StructureShape, place: str) -> Iterator[str]:
    given = {name for name, member in value.items() if member is not None}
    prefix = f"{place}." if place else ""
    for name in shape.required_members:
        if name not in given:
            yield f"{prefix}{name} is missing"
    if shape.is_tagged_union and len(given) != 1:
        yield f"{place or 'it'} needs exactly one of {', '.join(shape.members)}"
    yield from (f"{prefix}{name} is not known" for name in sorted(given - set(shape.members)))


def _limits(value: Any, shape: Shape, place: str) -> Iterator[str]:
    low, high = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
    if isinstance(value, str | Sequence | Mapping):
        if not isinstance(shape, StructureShape) and not low <= len(value) <= high:
            yield f"{place} has a length of {len(value)}, not from {low} to {high}"
    elif not isinstance(value, bool) and not low <= value <= high:
        yield f"{place} is {value}, not from {low} to {high}"


def _text(value: str, shape: StringShape, place: str) -> Iterator[str]:
    shown = "hidden" if shape.metadata.get("sensitive") else repr(value[:SHOWN_CHARACTERS])
    if shape.enum and value not in shape.enum:
        yield f"{place} is {shown}, none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield f"{place} is {shown}, which does not match {pattern}"


def _matches(pattern: str, value: str) -> bool:
    """AWS's patterns are Java's, which match the whole of a text."""
    compiled = _compiled(pattern)
    try:
        return compiled is None or compiled.fullmatch(value, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return True


@cache
def _compiled(pattern: str) -> Any:
    """None for a pattern that only Java understands, such as one with halves of surrogates."""
    try:
        return regex.compile(pattern)
    except regex.error:
        return None
