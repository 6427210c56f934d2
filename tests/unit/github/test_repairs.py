"""Repairs and GitHub's answers, with a real HTTP server as GitHub."""

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.errors import GitHubError, GitHubUnavailable
from slipway.github.models import Snapshot, blob_sha
from slipway.github.repairs import Repairs
from slipway.github.roll_back import (
    LastChange,
    NothingToRollBack,
    roll_back,
    roll_back_branch,
    texts_before,
)

from tests.entities import service_files
from tests.scripted import Answer
from tests.unit.github.conftest import REPOSITORY, FakeGitHub, repository

pytestmark = pytest.mark.waits

SINCE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ID = "0a1b-2"
SHOP = service_files("shop")
MARKER = '<!-- slipway {"kind":"remediation"} -->'
PAGE = "https://github.test/acme/services"


@pytest.fixture(autouse=True)
def empty(github: FakeGitHub) -> None:
    """Provide no issue, and accept a new one."""
    github.script("GET /issues", (200, [], {}))
    opened = {"number": 5, "html_url": f"{PAGE}/issues/5", "body": ""}
    github.script("POST /issues", (201, opened, {}))


def repairs(github: FakeGitHub, **options: Any) -> Repairs:
    return Repairs(repository(github, **options))


def asked(github: FakeGitHub) -> list[str]:
    return [route.replace(REPOSITORY, "", 1) for route in github.routes()]


# -- escalation


def escalate(
    github: FakeGitHub, body: str = f"unhealthy\n{MARKER}", **more: Any
) -> tuple[int, bool]:
    labels = more.pop("labels", ("slipway",))
    over = repairs(github).escalate(
        title="Service shop is unhealthy", body=body, labels=labels, marker=MARKER, **more
    )
    return over.number, over.created


def issue(number: int, body: str | None, kind: str = "issues") -> dict[str, Any]:
    return {
        "number": number,
        "body": body,
        "html_url": f"{PAGE}/{kind}/{number}",
    }


def test_escalation_opens_an_issue_when_there_is_none(github: FakeGitHub) -> None:
    github.script("GET /issues", (200, [issue(1, None), issue(2, "other")], {}))

    assert escalate(github, labels=("slipway", "unhealthy")) == (5, True)
    assert parse_qs(github.requests[0].query)["labels"] == ["slipway,unhealthy"]
    assert github.sent("POST /issues") == [
        {
            "title": "Service shop is unhealthy",
            "body": f"unhealthy\n{MARKER}",
            "labels": ["slipway", "unhealthy"],
        }
    ]


def test_repeated_escalation_only_reads_an_equal_issue(
    github: FakeGitHub,
) -> None:
    github.script("GET /issues", (200, [issue(1, f"unhealthy\n{MARKER}")], {}))

    assert escalate(github) == (1, False)
    assert asked(github) == ["GET /issues"]


def test_escalation_updates_an_older_issue_and_comments(
    github: FakeGitHub,
) -> None:
    there = issue(1, f"older\n{MARKER}") | {"url": f"{github.url}{REPOSITORY}/issues/1"}
    github.script("GET /issues", (200, [there], {}))
    github.script("PATCH /issues/1", (200, there, {}))
    github.script("GET /issues/1/comments", (200, [{"body": "Thanks"}], {}))
    github.script("POST /issues/1/comments", (201, {"id": 1}, {}))

    assert escalate(github, comment="Ill again") == (1, False)
    assert github.sent("PATCH /issues/1") == [{"body": f"unhealthy\n{MARKER}"}]
    assert github.sent("POST /issues/1/comments") == [{"body": "Ill again"}]


def test_repeated_escalation_does_not_repeat_its_comment(
    github: FakeGitHub,
) -> None:
    there = issue(1, f"older\n{MARKER}") | {"url": f"{github.url}{REPOSITORY}/issues/1"}
    github.script("GET /issues", (200, [there], {}))
    github.script("GET /issues/1/comments", (200, [{"body": "Ill again"}], {}))
    github.script("PATCH /issues/1", (200, there, {}))

    assert escalate(github, comment="Ill again") == (1, False)
    assert asked(github) == ["GET /issues", "GET /issues/1/comments", "PATCH /issues/1"]


def test_repeated_escalation_adds_nothing_to_an_equal_issue(
    github: FakeGitHub,
) -> None:
    github.script("GET /issues", (200, [issue(1, f"unhealthy\n{MARKER}")], {}))

    assert escalate(github, comment="Ill again") == (1, False)
    assert asked(github) == ["GET /issues"]


def test_escalation_ignores_a_pull_request_with_its_marker(
    github: FakeGitHub,
) -> None:
    github.script("GET /issues", (200, [issue(1, MARKER, "pull")], {}))

    assert escalate(github) == (5, True)


@pytest.mark.parametrize("more", [{"body": "unhealthy"}, {"labels": ()}])
def test_escalation_is_refused_without_its_marker(github: FakeGitHub, more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs its marker"):
        escalate(github, **more)
    assert github.requests == []


def test_escalation_error_names_disabled_issues(
    github: FakeGitHub,
) -> None:
    github.script("GET /issues", (410, {"message": "Issues are disabled for this repo"}, {}))

    with pytest.raises(GitHubError, match="Issues are disabled"):
        escalate(github)


# -- the last change

NEWEST, MERGED, PARENT, BASE = "1" * 40, "2" * 40, "3" * 40, "4" * 40
FILE = "apps/shop/common_values.json"


def commit(sha: str, *parents: str, **fields: Any) -> dict[str, Any]:
    return {
        "sha": sha,
        "html_url": f"{PAGE}/commit/{sha}",
        "parents": [{"sha": parent} for parent in parents],
        "commit": {"committer": {"date": "2026-11-23T09:00:00Z"}},
        "files": [{"filename": FILE, "status": "modified", "sha": blob_sha("new")}],
        **fields,
    }


def contents(text: str) -> Answer:
    entry = {"path": FILE, "name": "common_values.json", "type": "file", "size": len(text)}
    return 200, [{**entry, "sha": blob_sha(text), "download_url": f"{PAGE}/raw"}], {}


def script_history(github: FakeGitHub, *parents_of_merge: str) -> None:
    """Provide a merged pull request whose `NEWEST` commit last changed the service."""
    pull = {
        "number": 12,
        "html_url": f"{PAGE}/pull/12",
        "merged_at": "2026-11-23T09:00:00Z",
        "merge_commit_sha": MERGED,
        "head": {"ref": "people/change"},
        "base": {"ref": "main"},
    }
    url = f"{github.url}{REPOSITORY}/commits/{NEWEST}"
    github.script("GET /git/ref/heads/main", (200, {"object": {"sha": BASE}}, {}))
    github.script("GET /commits", (200, [commit(NEWEST, PARENT, url=url)], {}))
    github.script(f"GET /commits/{NEWEST}/pulls", (200, [pull], {}))
    github.script(f"GET /commits/{NEWEST}", (200, commit(NEWEST, PARENT), {}))
    github.script(f"GET /commits/{MERGED}", (200, commit(MERGED, *parents_of_merge), {}))
    github.script("GET /contents/apps/shop", contents("old"), contents("new"))
    blob = {"content": base64.b64encode(b"old").decode(), "encoding": "base64"}
    github.script(f"GET /git/blobs/{blob_sha('old')}", (200, blob, {}))


@pytest.mark.parametrize(
    ("parents", "revision"),
    [
        pytest.param((PARENT,), NEWEST, id="rebased"),
        pytest.param((BASE, PARENT), MERGED, id="merge"),
    ],
)
def test_last_change_is_found_for_every_merge_method(
    github: FakeGitHub, parents: tuple[str, ...], revision: str
) -> None:
    script_history(github, *parents)

    last = repairs(github).last_change(SHOP)

    assert isinstance(last, LastChange)
    assert (last.commit, last.pull_number) == (revision, 12)
    assert (last.before, last.after) == ({FILE: "old"}, {FILE: blob_sha("new")})
    read = [r.query for r in github.requests if r.route.endswith("/contents/apps/shop")]
    assert read == [f"ref={parents[0]}", f"ref={BASE}"]


def test_last_change_is_refused_when_the_folder_is_truncated(
    github: FakeGitHub,
) -> None:
    script_history(github, BASE, PARENT)
    _, (entry,), _ = contents("old")
    many = [{**entry, "path": f"apps/shop/{number}"} for number in range(1000)]
    github.script("GET /contents/apps/shop", (200, many, {}))

    nothing = repairs(github).last_change(SHOP)

    assert isinstance(nothing, NothingToRollBack)
    assert "more files than GitHub lists" in nothing.reason


@pytest.mark.parametrize(
    "route", ["/git/ref/heads/main", "/commits", f"/commits/{NEWEST}/pulls", f"/commits/{MERGED}"]
)
def test_last_change_is_retryable_when_github_stays_down(github: FakeGitHub, route: str) -> None:
    script_history(github, BASE, PARENT)
    github.script(f"GET {route}", (502, {"message": "down"}, {}))

    with pytest.raises(GitHubUnavailable):
        repairs(github, retry_budget=0.2).last_change(SHOP)


# -- rollback, without GitHub


def folder(**texts: str) -> Snapshot:
    paths = {f"apps/shop/{name}": text for name, text in texts.items()}
    shas = {path: blob_sha(text) for path, text in paths.items()}
    return Snapshot(commit="c", files=shas, texts=paths)


def touched(before: Snapshot, after: Snapshot) -> dict[str, str | None]:
    return {path: after.files.get(path) for path in before.files.keys() | after.files.keys()}


def test_rollback_restores_only_what_the_commit_changed() -> None:
    before = folder(common="1", custom="a", removed="r")
    after = folder(common="2", custom="a", added="n")

    assert texts_before(touched(before, after), before, after) == {
        "apps/shop/common": "1",
        "apps/shop/removed": "r",
        "apps/shop/added": None,
    }


@pytest.mark.parametrize(
    ("before", "after", "now", "reason"),
    [
        (folder(), folder(common="1"), folder(common="1"), "since it was created"),
        (folder(common="1"), folder(), folder(), "no longer has files"),
        (folder(common="1"), folder(common="2"), folder(common="3"), "mixed"),
        (folder(common="1"), folder(common="2"), folder(other="3"), "mixed"),
        (folder(common="1"), folder(common="1"), folder(common="1"), "did not change the content"),
    ],
)
def test_impossible_rollback_gives_a_reason(
    before: Snapshot, after: Snapshot, now: Snapshot, reason: str
) -> None:
    nothing = texts_before(touched(before, after), before, now)

    assert isinstance(nothing, NothingToRollBack)
    assert reason in nothing.reason


def test_rollback_of_a_file_that_was_not_text_gives_a_reason() -> None:
    after = folder(common="2")
    before = Snapshot(commit="b", files={"apps/shop/common": "0" * 40}, texts={})

    nothing = texts_before(touched(before, after), before, after)
    assert isinstance(nothing, NothingToRollBack)
    assert "not text" in nothing.reason


_FOLDERS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), min_size=1)


@given(_FOLDERS, _FOLDERS)
def test_rollback_restores_the_folder_after_any_change(
    old: dict[str, str], new: dict[str, str]
) -> None:
    before, after = folder(**old), folder(**new)
    texts = texts_before(touched(before, after), before, after)

    if isinstance(texts, NothingToRollBack):
        assert before.files == after.files
        return
    result = {**after.texts, **texts}
    assert {path: text for path, text in result.items() if text is not None} == before.texts


def last_change(**fields: Any) -> LastChange:
    given = {
        "entity": SHOP,
        "commit": "c" * 40,
        "url": f"{PAGE}/pull/12",
        "pull_number": 12,
        "before": {"apps/shop/common_values.json": "{}"},
        "after": {"apps/shop/common_values.json": "d" * 40},
    }
    return LastChange(**{**given, **fields})


def test_rollback_is_a_change_that_undoes_the_last_one() -> None:
    change = roll_back(last_change(), remediation_id=ID, why="It is unhealthy.")

    assert change.branch == f"slipway/roll_back/{ID}" == roll_back_branch(ID)
    assert change.title == "Roll back Service 'shop': undo #12"
    assert change.files == {"apps/shop/common_values.json": "{}"}
    assert f"[#12]({PAGE}/pull/12)" in change.body
    assert change.body.startswith("It is unhealthy.")


def test_rollback_names_the_commit_without_a_pull_request() -> None:
    last = last_change(pull_number=None, url=f"{PAGE}/commit/{'c' * 40}")
    change = roll_back(last, remediation_id=ID, why="")

    assert change.title == "Roll back Service 'shop': undo ccccccc"


@pytest.mark.parametrize("remediation_id", ["", "a/b", "..", "a b", "a" * 101])
def test_rollback_refuses_an_invalid_id(remediation_id: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        roll_back(last_change(), remediation_id=remediation_id, why="")
