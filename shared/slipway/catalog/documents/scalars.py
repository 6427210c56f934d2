"""Interpret an unquoted scalar, where readers of YAML may disagree.

YAML 1.1 (PyYAML, and in part Helm) and YAML 1.2 read `on`, `0777`, `1_000`, `12e3`, `1:20` and
`2021-03-01` differently. PyYAML gives the reading of YAML 1.1. For YAML 1.2, the core schema is
https://yaml.org/spec/1.2.2/#1032-tag-resolution.
"""

import re
from functools import cache
from typing import Any

type Reading = tuple[str, Any]

_CORE = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
# Not a number in either schema, but some readers are lax about signs and underscores.
_NEARLY_A_NUMBER = re.compile(
    r"(?=.*[0-9_])(?:[-+]?0x[0-9a-fA-F_]+|[-+]?0[bo][0-7_]+"
    r"|[-+]?[0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?)"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_NUMERIC_START = frozenset("-+.0123456789")
# Longer numbers are not read: the conversion time may grow quadratically.
_LONGEST_NUMBER = 100


def is_word(text: str) -> bool:
    """Return whether every reader takes the unquoted text for a string."""
    return bool(_WORD.fullmatch(text)) and text.lower() not in _NOT_TEXT


def readings(text: str) -> list[Reading]:
    """Return the readings of an unquoted scalar; one entry if all agree.

    Returns:
        Pairs of kind and value: `null`, `bool`, `int`, `float`, `str`, or another kind of YAML 1.1.
    """
    if is_word(text):
        return [("str", text)]
    if len(text) > _LONGEST_NUMBER and text[0] in _NUMERIC_START:
        return [("str", text), ("number", text)]
    found = [_in_yaml_1_1(text), _in_yaml_1_2(text)]
    if found[0] == found[1] == ("str", text) and _NEARLY_A_NUMBER.fullmatch(text):
        found.append(("number", text))
    if text in {"y", "Y", "n", "N"}:  # PyYAML leaves out these two types of YAML 1.1.
        found.append(("bool", text in {"y", "Y"}))
    # `1` equals `True` in Python, so kinds are compared too.
    return [one for index, one in enumerate(found) if not _seen(one, found[:index])]


def identities(text: str) -> set[tuple[str, object]]:
    """Return comparable readings of an unquoted key; equal: the same key."""
    return {
        (kind, repr(value) if isinstance(value, float) else value) for kind, value in readings(text)
    }


def _seen(one: Reading, others: list[Reading]) -> bool:
    return any(one[0] == kind and repr(one[1]) == repr(value) for kind, value in others)


def _in_yaml_1_2(text: str) -> Reading:
    match = _CORE.fullmatch(text)
    kind = match.lastgroup if match else None
    match kind:
        case "null":
            return "null", None
        case "bool":
            return "bool", text.lower() == "true"
        case "int":
            return "int", int(text, 0 if text[1:2] in {"o", "x"} else 10)
        case "float":
            return "float", float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return "str", text


@cache
def _yaml_1_1() -> Any:
    """Load PyYAML's resolver and constructor when first needed."""
    import yaml

    return yaml.resolver.Resolver(), yaml.constructor.SafeConstructor(), yaml.ScalarNode


def _in_yaml_1_1(text: str) -> Reading:
    resolver, constructor, node = _yaml_1_1()
    tag = resolver.resolve(node, text, (True, False))
    kind = tag.rpartition(":")[2]
    if kind in {"str", "merge", "value"}:
        return kind, text
    try:
        return kind, constructor.yaml_constructors[tag](constructor, node(tag, text))
    except ValueError:  # It looks like a date but is not a valid one.
        return kind, text
