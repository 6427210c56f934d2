"""A day-2 change of any files changes only what was requested, or ends with an error."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from slipway.catalog.form import is_dry_run
from slipway.catalog.planning import FilePlan, NothingToDo, Situation, WorkflowPlan, make_plan
from slipway.catalog.request import Request, Tree, find_target
from slipway.changes.proposal import LONGEST_PREVIEW, Proposal, fenced, preview, shortened
from slipway.errors import InvalidInput, UserError
from slipway.github.models import Change, blob_sha

from tests import entities
from tests.property.documents.values_files import make_values_file

FOLDER = "apps/shop"
LIMITS = {"min": 1, "max": 20, "max_step": 5, "default_step": 1}
PORT_DATA = '{"identifier": "shop", "blueprint": "service", "environment": "Test"}'

# Without lone surrogates, which UTF-8 text cannot contain.
texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


def with_replicas(seed: int) -> str:
    """Draw a values file as people write it, with `replicas` as its first key."""
    file = make_values_file(seed, 3)
    return "".join([file.head, "replicas: 2\n", *file.entries, file.tail])


def assert_only_digits_differ(old: str, new: str) -> None:
    """Check that only digits differ between the longest common start and end."""
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    left = shorter - start
    end = next((i for i in range(left) if old[-1 - i] != new[-1 - i]), left)
    for text in (old, new):
        assert re.fullmatch(r"[0-9]*", text[start : len(text) - end])


YAML_PIECES = [
    "replicas", ": ", "2", "\n", "  ", "- ", "[", "]", "{", "}", "&x ", "*x", "!!int ", "!", "|",
    ">", "'", '"', "#", "---", "...", "<<: ", "\t", "? ", "%YAML 1.1\n", "\x00", "é", "a", "\r",
    "\x85", "\u2028", "\ufeff", "\\U99999999", "2001-99-99", "25:61:61", "1_0", "0o9", ".nan",
]  # fmt: skip
JSON_PIECES = [
    '{"replicas"', '"replicas"', ":", "2", ",", "{", "}", "[", "]", '"', "\\", "\\ud800", "NaN",
    "1e999", "-0", "9" * 5000, "\ufeff", "\n", "true", "/*", "2.0", "[" * 50, "]" * 50,
]  # fmt: skip
broken_values = (
    st.lists(st.sampled_from(YAML_PIECES + JSON_PIECES), max_size=20).map("".join)
    | texts
    | st.integers(0, 2**63).map(with_replicas)
)
port_data = (
    st.just(PORT_DATA)
    | texts
    | json_values.map(json.dumps)
    | st.lists(st.sampled_from(JSON_PIECES), max_size=20).map("".join)
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("identifier", "environment", "blueprint"), json_values)
    ).map(lambda changes: json.dumps({**json.loads(PORT_DATA), **changes}))
)


def planned(
    action: str, inputs: Mapping[str, Any], files: Mapping[str, str], dependents: Sequence[str] = ()
) -> FilePlan | WorkflowPlan | NothingToDo:
    """Plan a request on the service `shop`."""
    request = Request(
        run_id="r_0123456789abcdef", action=action, entity="shop", inputs=dict(inputs)
    )
    known = {f"{FOLDER}/{name}": text for name, text in files.items()}
    tree = Tree({path: blob_sha(text) for path, text in known.items()}, known)
    target = find_target(entities.shipped(), request)
    situation = Situation(tree=tree, limits=LIMITS, dependents=dependents)
    return make_plan(target, request, situation)


@given(
    broken_values,
    st.sampled_from(["json", "yaml"]),
    port_data,
    json_values | st.integers(0, 7),
    st.sampled_from(["upscale_service", "downscale_service"]),
)
@example("replicas: 2\n\u2028x}\n\x85", "yaml", PORT_DATA, 1, "upscale_service")
def test_scaling_changes_a_number_or_is_refused(
    values: str, extension: str, data: str, step: Any, action: str
) -> None:
    path = f"{FOLDER}/common_values.{extension}"

    with contextlib.suppress(UserError):
        files = {f"common_values.{extension}": values, "portData.json": data}
        plan = planned(action, {"step": step}, files)
        if isinstance(plan, FilePlan):
            assert plan.files.keys() == {path}
            assert_only_digits_differ(values, plan.files[path] or "")


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,3})?", fullmatch=True), texts, max_size=4),
    port_data,
    json_values | st.just("shop"),
    st.lists(texts, max_size=12),
)
def test_deletion_removes_all_files_or_is_refused(
    files: dict[str, str], data: str, typed: Any, dependents: list[str]
) -> None:
    there = {**files, "portData.json": data}

    with contextlib.suppress(UserError):
        plan = planned("delete_service", {"service_name": typed}, there, dependents)
        assert typed == "shop"
        assert not dependents
        assert isinstance(plan, FilePlan)
        assert plan.files == dict.fromkeys(f"{FOLDER}/{name}" for name in there)


@given(json_values)
def test_dry_run_input_gives_an_answer_or_an_error(value: Any) -> None:
    with contextlib.suppress(InvalidInput):
        assert is_dry_run({"dry_run": value}) is bool(value)
        assert value is None or isinstance(value, bool)


shas = st.none() | st.from_regex(r"[0-9a-f]{40}", fullmatch=True)
touched = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.tuples(st.none() | texts, shas), min_size=1
)


def hash_of(files: Mapping[str, tuple[str | None, str | None]]) -> str:
    change = Change(
        entity=entities.service_files("shop"),
        branch="b",
        title="t",
        body="",
        files={f"{FOLDER}/{name}": text for name, (text, _) in files.items()},
    )
    return Proposal(
        action="upscale_service",
        key="service/shop",
        environments=("Test",),
        target=entities.target("upscale_service", "shop"),
        summary="",
        change=change,
        base={f"{FOLDER}/{name}": sha for name, (_, sha) in files.items()},
        preview="",
    ).change_hash


@given(touched, st.randoms())
def test_change_hash_does_not_depend_on_the_file_order(
    files: dict[str, tuple[str | None, str | None]], random: Any
) -> None:
    shuffled = list(files.items())
    random.shuffle(shuffled)

    assert hash_of(dict(shuffled)) == hash_of(files)


@given(touched, touched)
def test_change_hash_differs_for_other_files(
    files: dict[str, tuple[str | None, str | None]],
    other: dict[str, tuple[str | None, str | None]],
) -> None:
    assert (hash_of(files) == hash_of(other)) == (files == other)


@given(touched, st.data())
def test_change_hash_differs_after_one_more_character(
    files: dict[str, tuple[str | None, str | None]], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(files)))
    text, sha = files[name]
    position = data.draw(st.integers(0, len(text or "")))
    more = (text or "")[:position] + data.draw(st.characters(exclude_categories=["Cs"]))
    changed = more + (text or "")[position:]

    assert hash_of({**files, name: (changed, sha)}) != hash_of(files)


lines = st.lists(st.sampled_from(["a\n", "b\n", "\n", "+\n", "-- x\n", "@@\n"]), max_size=12).map(
    "".join
)


@given(lines, lines)
def test_preview_diff_turns_the_old_text_into_the_new(old: str, new: str) -> None:
    _, _, *hunk = preview({"p": old}, {"p": new}).split("\n")

    if not old and not new:
        assert hunk == ["This file is empty."]
        return
    found = re.fullmatch(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@", hunk[0])
    assert found
    first, removed, second, added = map(int, found.groups())
    assert first == second or 0 in {removed, added}
    start = max(0, first - 1) if removed else first
    taken = [line[1:] for line in hunk[1:] if line[0] in " -"]
    put = [line[1:] for line in hunk[1:] if line[0] in " +"]
    assert (len(taken), len(put)) == (removed, added)
    before = old.split("\n")[:-1]
    assert before[start : start + removed] == taken
    after = [*before[:start], *put, *before[start + removed :]]
    assert "".join(f"{line}\n" for line in after) == new


@given(st.dictionaries(texts, st.none() | texts, max_size=3), st.data())
def test_preview_hides_nothing_and_has_no_live_markup(
    before: dict[str, str | None], data: st.DataObject
) -> None:
    new = data.draw(st.dictionaries(texts, st.none() | texts, max_size=3))
    shown = preview(before, {**dict.fromkeys(before), **new})

    assert all(c in "\n\t" or c.isprintable() for c in shown)
    assert len(shortened(shown)) < LONGEST_PREVIEW + 100
    block = fenced(shown).split("\n")
    fence = block[-1]
    assert block[0] == f"{fence}diff"
    assert not any(fence in line for line in block[1:-1])
