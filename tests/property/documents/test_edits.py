"""An edit of any document changes nothing else for any reader, or is refused."""

import contextlib
import json
import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.catalog.documents import Document, read_document
from slipway.catalog.documents.paths import join_path, parse_path
from slipway.errors import DocumentRefused

from tests.property.documents.readers import (
    Changed,
    Reader,
    Tree,
    agrees,
    changed,
    json_reader,
    libyaml,
    only_adds,
    paths,
    pyyaml,
    trees,
    yaml_1_2,
)
from tests.property.documents.values_files import ValuesFile, make_values_file
from tests.property.hostile.mutation import examples

pytestmark = pytest.mark.timeout(60 * int(os.environ.get("FUZZ", "1")))

READERS: list[Reader] = [libyaml, pyyaml, yaml_1_2]
# Texts that some reader reads as another type, or as more than one value.
AMBIGUOUS = [
    "on", "no", "y", "N", "yes", "Off", "true", "null", "~", "", "1_000", "0777", "0o17",
    "0x1F", "0b1",
    "12e3", "1.0", ".5", "+1", "-", "1:20", "190:20:30.15", "2021-03-01",
    "2001-12-14t21:59:43.10-05:00",
    ".inf", ".NaN", "=", "<<", "- a", "a: b", "a #b", "#x", "{{ .V }}", "*a", "&a", "!t", "%d",
    "@x",
    "`", "'", '"', "\\", " a", "a ", "a\nb\n", "\ta", "é😀", "\u2028", "\x85", "\x00", "\ufeff",
    "? a",
    "---", "...", "|", ">", "a,b", "[", "}", "a:", "x" * 200,
]  # fmt: skip
scalars = (
    st.sampled_from(AMBIGUOUS)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([None, True, False, 2])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*AMBIGUOUS, "a", "b"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NEW_PATHS = [("replicas",), ("image", "tag"), ("a.b", "on", "c")]


def choose(tree: Tree, random: Random) -> tuple[str, tuple[str, ...]]:
    """Draw an operation and a path that fit a document's content."""
    known = paths(tree)
    if not known or random.random() < 0.3:
        return random.choice(["set", "add_missing", "append"]), random.choice(NEW_PATHS)
    keys, found = random.choice(known)
    operations = ["set", "set", "remove"]
    if isinstance(found, list):
        operations += ["append"] * 3
    if isinstance(found, dict) and random.random() < 0.5:
        return "set", (*keys, "new.key")
    return random.choice(operations), keys


def edit(document: Document, operation: str, keys: tuple[str, ...], value: Any) -> Document:
    if operation == "remove":
        return document.remove(join_path(keys))
    edited: Document = getattr(document, operation)(join_path(keys), value)
    return edited


def assert_edited(
    before: str, after: str, readers: list[Reader], edited: tuple[str, tuple[str, ...], Any]
) -> None:
    """Check that every reader reads the old document with the edit."""
    operation, keys, value = edited
    for reader, tree in trees(before, readers).items():
        old = {} if isinstance(tree, tuple) else tree
        assert agrees(changed(old, operation, keys, value), reader(after)), reader.__name__


def assert_rest_untouched(file: ValuesFile, after: str, keys: tuple[str, ...]) -> None:
    """Check that all characters of other top-level keys, and around them, are unchanged."""
    names = list(libyaml(file.text))
    if ("str", keys[0]) in names:
        index = names.index(("str", keys[0]))
        assert after.startswith("".join([file.head, *file.entries[:index]]))
        assert after.endswith("".join([*file.entries[index + 1 :], file.tail]))
    else:
        assert only_adds(file.text, after)


@contextlib.contextmanager
def refusal_with_place() -> Iterator[None]:
    """Accept a refusal of a document only if it names line and column."""
    try:
        yield
    except DocumentRefused as refused:
        if not refused.line or not refused.column:
            raise AssertionError("a refusal without its place") from refused


@examples(500)
@given(st.integers(0, 2**63), values)
def test_edit_of_yaml_changes_nothing_else(seed: int, value: Any) -> None:
    random = Random(seed)
    file = make_values_file(seed, random.randint(1, 4))
    with refusal_with_place():
        document = read_document(file.text, "yaml")
        operation, keys = choose(libyaml(file.text), random)

        edited = edit(document, operation, keys, value)

        assert_edited(file.text, edited.text, READERS, (operation, keys, value))
        assert_rest_untouched(file, edited.text, keys)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('ab.é"', max_size=3), inner)
    ),
    max_leaves=8,
)


@examples(200)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "image", "replicas", "x y"]), json_values),
    st.sampled_from([None, 2, "\t", 0]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
    values,
    st.integers(0, 2**31),
)
def test_edit_of_json_changes_nothing_else(
    data: dict[str, Any], indent: Any, separators: tuple[str, str], value: Any, seed: int
) -> None:
    random = Random(seed)
    ends = random.choice([("", ""), ("\ufeff", "\n"), ("\r\n ", " \t\r\n")])
    text = json.dumps(
        data, indent=indent, separators=separators, ensure_ascii=random.random() < 0.5
    )
    text = f"{ends[0]}{text}{ends[1]}"
    document = read_document(text, "json")
    operation, keys = choose(json_reader(text), random)

    with contextlib.suppress(DocumentRefused):
        edited = edit(document, operation, keys, value)

        assert_edited(text, edited.text, [json_reader], (operation, keys, value))
        assert edited.text.startswith(ends[0])
        assert edited.text.endswith(ends[1])


PIECES = [
    "a", ": ", "\n", "  ", "- ", "[", "]", "{", "}", "&x ", "*x", "!!str ", "!", "|", ">", "'",
    '"', "#",
    "---", "...", "<<: ", "\t", "? ", "%YAML 1.2\n", "\x00", "é", "1", " # c\n", "\r", "\r\n",
    "\x85",
    "\u2028", "\ufeff", "\ud800", "\\U99999999", "2001-99-99", "25:61:61", "1_0", ".nan", "~",
    "=", ", ",
    "%TAG ! x\n", "replicas", "image:\n  tag: x\n", "b: 2\n", "replicas: 2\n", "{{ x }}",
    "|+\n  x\n\n",
    "\"a\":1", "!!python/object/apply:os.system [id]", "c: &c\n  d: 1\n", "<<: *c\n", "on: ",
    "1: ",
]  # fmt: skip


@examples(400)
@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30),
    st.sampled_from(["yaml", "json"]),
    st.sampled_from(["set", "append", "remove", "add_missing"]),
    st.sampled_from([*NEW_PATHS[:2], ("a",), ("b",), ("c", "d")]),
)
def test_any_text_is_edited_correctly_or_refused(
    text: str, form: Any, operation: str, keys: tuple[str, ...]
) -> None:
    with contextlib.suppress(DocumentRefused):
        document = read_document(text, form)
        assert document.text == text
        edited = edit(document, operation, keys, 7)

        if operation != "remove" or edited.text != text:
            judges: list[Reader] = READERS if form == "yaml" else [json_reader]
            assert_edited(text, edited.text, judges, (operation, keys, 7))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_path_of_any_keys_reads_back(keys: list[str]) -> None:
    assert parse_path(join_path(tuple(keys))) == tuple(keys)


@examples(200)
@given(st.text(max_size=12) | st.from_regex(r"[-+0-9._:eExonTZ ]{1,12}", fullmatch=True))
def test_scalar_is_read_only_when_all_readers_agree(text: str) -> None:
    with contextlib.suppress(DocumentRefused):
        found = read_document(f"a: {text}\n", "yaml").read("a")

        for tree in trees(f"a: {text}\n", READERS).values():
            assert agrees(Changed(found), tree["str", "a"])
