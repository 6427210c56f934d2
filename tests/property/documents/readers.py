"""Read YAML and JSON with independent libraries, to judge the editor's results.

A tree is a dict, a list, or a pair of a scalar's kind and text; keys are such pairs. `Changed` is
the value that an edit has written.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from ruamel.yaml import YAML

type Tree = Any
type Reader = Callable[[str], Tree]

_KINDS = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}


@dataclass(frozen=True)
class Changed:
    """A value in a tree that a reader must read as this value."""

    value: Any


def libyaml(text: str) -> Tree:
    """Read with libyaml and PyYAML's rules of YAML 1.1."""
    return _tree(yaml.compose(text, Loader=yaml.CSafeLoader))


def pyyaml(text: str) -> Tree:
    """Read with PyYAML's own parser, which differs from libyaml's."""
    return _tree(yaml.compose(text, Loader=yaml.SafeLoader))


def yaml_1_2(text: str) -> Tree:
    """Read by the rules of YAML 1.2."""
    return _tree(YAML(typ="safe", pure=True).compose(text))


def json_reader(text: str) -> Tree:
    """Read with Python's reader of JSON."""
    return _json_tree(json.loads(text.removeprefix("\ufeff")))


def trees(text: str, readers: list[Reader]) -> dict[Reader, Tree]:
    """Return the tree of each reader that can read a text."""
    found = {}
    for reader in readers:
        try:
            found[reader] = reader(text)
        except (yaml.YAMLError, ValueError, AssertionError, NotImplementedError, TypeError):
            continue
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "ruamel":
                raise
    return found


def agrees(expected: Tree, found: Tree) -> bool:
    """Whether a reader reads the expected tree."""
    match expected:
        case Changed():
            return _says(found, expected.value)
        case dict():
            return (
                isinstance(found, dict)
                and expected.keys() == found.keys()
                and all(agrees(inner, found[key]) for key, inner in expected.items())
            )
        case list():
            return (
                isinstance(found, list)
                and len(expected) == len(found)
                and all(map(agrees, expected, found))
            )
    return bool(expected == found)


def changed(tree: Tree, operation: str, keys: tuple[str, ...], value: Any) -> Tree:
    """Return a tree with an edit, which every reader must read afterwards."""
    key, *rest = keys
    place: Any = int(key) if isinstance(tree, list) else ("str", key)
    new: Any = (
        list(tree) if isinstance(tree, list) else dict(tree) if isinstance(tree, dict) else {}
    )
    if rest:
        inner = new[place] if isinstance(new, list) else new.get(place, {})
        new[place] = changed(inner, operation, tuple(rest), value)
    elif operation == "remove":
        del new[place]
    elif operation == "append":
        before = new[place] if isinstance(new, list) else new.get(place)
        new[place] = [*(before if isinstance(before, list) else []), Changed(value)]
    elif operation == "set" or _is_missing(new, place):
        new[place] = Changed(value)
    return new


def _is_missing(tree: Tree, place: Any) -> bool:
    found = tree[place] if isinstance(tree, list) else tree.get(place, ("null", ""))
    return isinstance(found, tuple) and found[0] == "null"


def paths(tree: Tree, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Tree]]:
    """Return all paths of a tree whose keys are texts, with their values."""
    members: list[tuple[str, Tree]] = []
    if isinstance(tree, list):
        members = [(str(index), inner) for index, inner in enumerate(tree)]
    elif isinstance(tree, dict):
        members = [(text, inner) for (kind, text), inner in tree.items() if kind == "str"]
    found = []
    for key, inner in members:
        found += [((*above, key), inner), *paths(inner, (*above, key))]
    return found


def only_adds(before: str, after: str) -> bool:
    """Whether a text is another one with characters inserted in one place."""
    start = _equal_at_start(before, after)
    return start + _equal_at_start(before[::-1], after[::-1]) >= len(before)


def _equal_at_start(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _tree(node: yaml.Node | None) -> Tree:
    if node is None:
        return ("null", "")
    if isinstance(node.value, str):
        return _kind(node), node.value
    if _kind(node) == "map":
        return {_tree(key): _tree(value) for key, value in node.value}
    return [_tree(item) for item in node.value]


def _kind(node: yaml.Node) -> str:
    return str(getattr(node, "ctag", None) or node.tag).rpartition(":")[2]


def _json_tree(value: Any) -> Tree:
    if isinstance(value, dict):
        return {("str", key): _json_tree(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_json_tree(inner) for inner in value]
    return _KINDS[type(value)], value if isinstance(value, str) else json.dumps(value)


def _says(tree: Tree, value: Any) -> bool:
    if isinstance(value, dict):
        return agrees({("str", key): Changed(inner) for key, inner in value.items()}, tree)
    if isinstance(value, list):
        return agrees([Changed(inner) for inner in value], tree)
    if not isinstance(tree, tuple) or tree[0] != _KINDS[type(value)]:
        return False
    if isinstance(value, bool):
        return bool(tree[1].lower() == str(value).lower())
    if isinstance(value, int) and tree[1].startswith("0x"):
        return int(tree[1], 16) == value
    return value is None or bool(type(value)(tree[1]) == value)
