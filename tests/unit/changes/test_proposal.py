"""A proposal's hash, and the diff that approvers review."""

import hashlib
import json
import re
from typing import Any

import pytest
from slipway.catalog.form import is_dry_run
from slipway.changes.proposal import (
    LONGEST_PREVIEW,
    Proposal,
    code_of,
    fenced,
    preview,
    shortened,
    with_code,
)
from slipway.errors import InvalidInput
from slipway.github.models import Change

from tests import entities


def make_proposal(**changes: Any) -> Proposal:
    files = changes.pop("files", {"apps/shop/b": "new ü\n", "apps/shop/a": None})
    change = Change(
        entity=entities.service_files("shop"),
        branch="slipway/upscale_service/r_1",
        title="Title",
        body=changes.pop("body", "Body"),
        files=files,
    )
    defaults: dict[str, Any] = {
        "action": "upscale_service",
        "key": "service/shop",
        "environments": ("Test",),
        "target": entities.target("upscale_service", "shop"),
        "summary": "replicas 2 → 3",
        "change": change,
        "base": {"apps/shop/a": "a" * 40, "apps/shop/b": None},
        "preview": "",
    }
    return Proposal(**{**defaults, **changes})


def test_change_hash_is_that_of_the_documented_canonical_json() -> None:
    new = hashlib.sha256("new ü\n".encode()).hexdigest()
    canonical = (
        '{"action":"upscale_service",'
        f'"base":{{"apps/shop/a":"{"a" * 40}","apps/shop/b":null}},'
        '"entity":"service/shop",'
        '"environments":["Test"],'
        f'"result":{{"apps/shop/a":null,"apps/shop/b":"{new}"}}}}'
    )

    assert make_proposal().change_hash == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "Another"},
        {"preview": "…"},
        {"summary": "…"},
        {"base": {"apps/shop/a": "a" * 40, "apps/shop/b": None, "apps/shop/other": "0" * 40}},
    ],
)
def test_change_hash_ignores_wording_and_untouched_files(
    changes: dict[str, Any],
) -> None:
    assert make_proposal(**changes).change_hash == make_proposal().change_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "downscale_service"},
        {"key": "service/shop2"},
        {"environments": ("Staging",)},
        {"base": {"apps/shop/a": "b" * 40, "apps/shop/b": None}},
        {"base": {"apps/shop/a": "a" * 40, "apps/shop/b": "0" * 40}},
        {"files": {"apps/shop/b": "new u\n", "apps/shop/a": None}},
        {"files": {"apps/shop/b": "new ü\n", "apps/shop/a": ""}},
        {"files": {"apps/shop/b": "new ü\n"}},
    ],
)
def test_change_hash_covers_everything_that_is_approved(
    changes: dict[str, Any],
) -> None:
    assert make_proposal(**changes).change_hash != make_proposal().change_hash


def test_preview_of_a_new_file_adds_every_line() -> None:
    assert preview({}, {"p": "a\nb\n"}) == "--- /dev/null\n+++ b/p\n@@ -0,0 +1,2 @@\n+a\n+b"


def test_preview_shows_three_lines_around_a_change() -> None:
    old = [str(number) for number in range(1, 21)]
    new = [*old[:9], "ten", *old[10:]]

    shown = preview({"p": "\n".join(old) + "\n"}, {"p": "\n".join(new) + "\n"})

    assert shown.splitlines() == [
        "--- a/p",
        "+++ b/p",
        "@@ -7,7 +7,7 @@",
        *(" 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"),
    ]


def test_preview_lists_files_in_path_order() -> None:
    shown = preview({"b": "1\n"}, {"b": None, "a": "2\n"})

    assert re.findall(r"(?m)^\+\+\+ (.*)$", shown) == ["b/a", "/dev/null"]


def test_preview_marks_a_file_without_text() -> None:
    shown = preview({"logo.png": None, "empty": ""}, {"logo.png": None, "empty": None})

    assert shown.splitlines() == [
        *("--- a/empty", "+++ /dev/null", "This file is empty."),
        *("--- a/logo.png", "+++ /dev/null", "This file is not text, or too large to be shown."),
    ]


def test_preview_shows_a_missing_final_line_break() -> None:
    assert preview({"p": "a"}, {"p": "a\n"}).splitlines()[2:] == [
        *("@@ -1,1 +1,1 @@", "-a", "\\ No newline at end of file", "+a"),
    ]


def test_preview_shows_control_characters() -> None:
    shown = preview({}, {"p": "a\x1b[31m\tb\r\n\u202ec\u2028d\x7f\x00\n"})

    assert shown.splitlines()[3:] == ["+a␛[31m\tb␍", "+\\u202ec\\u2028d\\u007f␀"]


def test_preview_keeps_a_hostile_file_name_on_one_line() -> None:
    shown = preview({"x\n+++ b/other\u202e": "1\n"}, {"x\n+++ b/other\u202e": None})

    assert shown.splitlines()[0] == "--- a/x␊+++ b/other\\u202e"


def test_long_preview_is_truncated_and_counts_the_rest() -> None:
    lines = [f"line {number}" for number in range(10_000)]

    shown = shortened(preview({}, {"p": "\n".join(lines) + "\n"}))

    assert len(shown) < LONGEST_PREVIEW + 100
    *kept, last = shown.splitlines()
    assert kept[3:] == [f"+{line}" for line in lines[: len(kept) - 3]]
    assert last == f"… {10_000 - len(kept) + 3} more lines of this diff are not shown."


def test_code_ends_a_diff_that_port_truncates() -> None:
    diff = preview({}, {"p": "line\n" * LONGEST_PREVIEW})

    assert re.fullmatch(r"[0-9a-f]{10}", code_of(diff))
    assert with_code(diff) == f"{diff}\n\nCode of this change: {code_of(diff)}"
    assert code_of(diff) not in shortened(diff)


def test_code_is_empty_when_port_shows_the_whole_diff() -> None:
    assert (code_of("short"), with_code("short")) == ("", "short")


def test_preview_counts_a_line_that_is_too_long() -> None:
    shown = shortened(preview({}, {"p": "x" * LONGEST_PREVIEW + "\n"}))

    assert shown.splitlines()[-1] == "… 1 more line of this diff is not shown."


@pytest.mark.parametrize(
    ("text", "fence"), [("a", "```"), ("```", "````"), ("x ````` y", "``````"), ("`", "```")]
)
def test_fence_is_longer_than_any_backticks_in_the_text(text: str, fence: str) -> None:
    assert fenced(text) == f"{fence}diff\n{text}\n{fence}"


@pytest.mark.parametrize(
    ("inputs", "dry"),
    [
        ({}, False),
        ({"dry_run": None}, False),
        ({"dry_run": False}, False),
        ({"dry_run": True}, True),
    ],
)
def test_dry_run_input_is_read_as_true_or_false(inputs: dict[str, Any], dry: bool) -> None:
    assert is_dry_run(inputs) is dry


@pytest.mark.parametrize("value", ["true", "", 1, 0, 1.0, [], {}, [True]])
def test_invalid_dry_run_input_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="'Dry run' must be true or false"):
        is_dry_run(json.loads(json.dumps({"dry_run": value})))
