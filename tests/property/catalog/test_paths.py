"""Patterns and values: a path has one owner, and no run writes outside of it."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.catalog.loading import load
from slipway.catalog.patterns import Part, Pattern, is_safe
from slipway.catalog.planning import FilePlan
from slipway.errors import UserError

from tests.catalogs.samples import ACME, EMPTY, SHIPPED, plan_of

NAMES = ("a", "b", "c")
SEPARATORS = (".", "-", "_", "--", "-.")
# Short texts, often with characters that may separate parts.
PIECES = ("a", "B", "1", *SEPARATORS)
values = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join).filter(is_safe)
texts = values | st.text(max_size=12) | st.sampled_from(["..", ".git", "a/b", "a\n", "", "A.lock"])


@st.composite
def segments(draw: st.DrawFn, names: tuple[str, ...] = (*NAMES, "*")) -> str:
    """Draw a segment: parts and perhaps a `*`, with separators."""
    drawn = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    pieces = [name if name == "*" else f"{{{name}}}" for name in drawn]
    start, end = draw(st.sampled_from(["", "x", "x-"])), draw(st.sampled_from(["", ".yaml", "-y"]))
    text = pieces[0]
    for piece in pieces[1:]:
        text += draw(st.sampled_from(SEPARATORS)) + piece
    return start + text + end


FOLDERS = st.sampled_from(["apps", "x"])
patterns = st.builds(
    lambda names, below: "/".join([*names, *(["**"] if below else [])]),
    st.lists(segments() | FOLDERS, min_size=1, max_size=3),
    st.booleans(),
)
# Of exactly one path each.
paths = st.lists(segments(NAMES) | FOLDERS, min_size=1, max_size=3).map("/".join)


def parts_of(*wanted: Pattern) -> dict[str, Part]:
    found = [pair for pattern in wanted for pair in pattern.separators()]
    return {
        name: Part(".*", "", "a", frozenset(s for owner, s in found if owner == name))
        for name in NAMES
    }


def draw_values(data: st.DataObject, parts: dict[str, Part]) -> dict[str, str]:
    """Draw a value that is valid for each part; few draws are rejected."""
    return {name: data.draw(accepted(part)) for name, part in parts.items()}


def accepted(part: Part) -> st.SearchStrategy[str]:
    pieces = [each for each in PIECES if not any(mark in each for mark in part.separators)]
    inner = st.lists(st.sampled_from(pieces), max_size=3).map("".join)
    return st.builds("a{}1".format, inner).filter(part.accepts) | st.sampled_from("aB1")


@given(st.text(max_size=40) | patterns)
def test_pattern_is_read_or_refused_with_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert Pattern.parse(text).text == text


@given(patterns, st.data())
def test_path_is_read_back_as_its_parts(text: str, data: st.DataObject) -> None:
    pattern = Pattern.parse(text)
    parts = parts_of(pattern)
    chosen = draw_values(data, parts)
    wild = data.draw(st.from_regex(r"[A-Za-z0-9._-]{1,6}", fullmatch=True))
    path = "/".join(
        "".join(
            chosen[token.text]
            if token.kind == "part"
            else wild
            if token.kind == "any"
            else token.text
            for token in segment
        )
        for segment in pattern.segments
    )
    path += "/below" if pattern.below else ""

    assert pattern.covers(path, chosen)
    assert pattern.read(path, parts) == {name: chosen[name] for name in pattern.parts}


@given(paths, patterns, st.data())
def test_disjoint_patterns_share_no_path(one: str, other: str, data: st.DataObject) -> None:
    first, second = Pattern.parse(one), Pattern.parse(other)
    parts = parts_of(first, second)
    path = first.fill(draw_values(data, parts))

    if second.covers(path, draw_values(data, parts)):
        assert not first.is_disjoint(second, parts, parts)


@given(texts)
def test_safe_value_is_one_plain_path_segment(value: str) -> None:
    if is_safe(value):
        assert value.isascii()
        assert value.isprintable()
        assert not set("/\\ \n") & set(value)
        assert value not in {".", ".."}
        assert not value.startswith(".")


CREATES: list[tuple[Any, str, dict[str, Any]]] = [
    (
        SHIPPED,
        "create_service",
        {
            "service_name": "a", "owner": "a", "team": "a", "project": "a", "environment": "Test",
            "service_type": "job", "replicas": 1, "image_tag": "a", "values_format": "YAML",
            "common_values_yaml": "", "custom_values_yaml": "",
        },
    ),
    (
        SHIPPED,
        "create_bucket",
        {"bucket_name": "abc", "team": "a", "environment": "Test", "purpose": "a", "readers": []},
    ),
    (
        ACME,
        "create_service",
        {
            "unit": "pay", "team": "a", "name": "abc", "env": "qa", "tier": "gold", "image": "a",
            "cost_center": "CC-0000", "language": "go", "slack_channel": "#a", "replicas": 1,
            "regions": ["eu-west-1"], "on_call": "a",
        },
    ),
]  # fmt: skip
HOSTILE = [
    "../../other", "/etc/passwd", "a/../b", ".git/config", "a\nadmin: true", "${path.module}", '"',
    "%{ for x in y }", "{{ .Values.x }}", "$(id)", "foo\n", "..", "con", "a.lock", "\u202e", "'; x",
]  # fmt: skip


@pytest.mark.parametrize(("folder", "action", "inputs"), CREATES)
@given(data=st.data())
def test_create_writes_only_files_of_its_entity(
    folder: Any, action: str, inputs: dict[str, Any], data: st.DataObject
) -> None:
    typed = st.sampled_from(HOSTILE) | texts | st.none() | st.integers() | st.booleans()
    replaced = data.draw(
        st.dictionaries(st.sampled_from(sorted(inputs)), typed | st.lists(typed, max_size=2))
    )

    with contextlib.suppress(UserError):
        plan = plan_of(folder, action, EMPTY, inputs={**inputs, **replaced})
        assert isinstance(plan, FilePlan)
        kind, parts = plan.target.kind, plan.target.parts
        assert all(part.accepts(parts[name]) for name, part in kind.parts.items())
        for path in plan.files:
            assert kind.owns(path, parts)
            assert not {"", ".", ".."} & set(path.split("/"))
            assert path.isprintable()
        assert kind.parts_of(plan.target.identifier) == parts


@given(
    st.dictionaries(
        st.sampled_from(
            ["k/resource.yaml", "k/blueprint.json", "k/a/action.yaml", "k/a/action.json"]
        ),
        st.text(max_size=60).map(str.encode)
        | st.dictionaries(st.text(max_size=8), st.text(max_size=8)).map(json.dumps).map(str.encode),
    )
)
def test_any_file_is_loaded_or_reported_as_a_fault(files: dict[str, bytes]) -> None:
    _, faults = load(files)

    assert all(fault.line >= 1 and fault.problem and fault.cure for fault in faults)
