"""What merging makes of GitHub's answers. A real HTTP server plays GitHub."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import GitHubError, GitHubUnavailable
from slipway.github import merging
from slipway.github.models import Change, blob_sha

from tests.scripted import Answer
from tests.unit.github.conftest import BRANCH, SHA, FakeGitHub, full_route, repository

pytestmark = pytest.mark.waits

PULL, FILES, MERGE, LATER = (
    "GET /pulls/7",
    "GET /pulls/7/files",
    "PUT /pulls/7/merge",
    "POST /graphql",
)
PATH, TEXT = "apps/shop/common_values.yaml", "replicas: 3\n"
CHANGE = Change(
    service="shop",
    branch=BRANCH,
    title="Upscale",
    body="body",
    files={PATH: TEXT},
    committed_at=datetime(2026, 11, 23, tzinfo=UTC),
)
MERGED: Answer = (200, {"merged": True, "sha": SHA}, {})
REFUSED: Answer = (405, {"message": "At least 1 approving review is required."}, {})
ENABLED: Answer = (200, {"data": {"enablePullRequestAutoMerge": {"actor": None}}}, {})


def graphql_error(message: str, kind: str | None = None, **headers: str) -> Answer:
    error = {"message": message, "path": ["enablePullRequestAutoMerge"]}
    return 200, {"data": None, "errors": [{**error, **({"type": kind} if kind else {})}]}, headers


@pytest.fixture
def github(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> FakeGitHub:
    """An open pull request that is the change, and that GitHub merges."""
    monkeypatch.setattr(merging, "_PAUSE_SECONDS", 0.01)
    github.script(PULL, (200, pull(github), {}))
    github.script(FILES, (200, [file(PATH, TEXT)], {}))
    github.script(MERGE, MERGED)
    github.script(LATER, ENABLED)
    return github


def pull(github: FakeGitHub, **more: Any) -> dict[str, Any]:
    allowed = {f"allow_{name}": True for name in ("squash_merge", "merge_commit", "rebase_merge")}
    return {
        **github.pull,
        "node_id": "PR_7",
        "merged": False,
        "mergeable": True,
        "auto_merge": None,
        "user": {"login": "slipway[bot]"},
        "base": {"ref": "main", "repo": {"full_name": "acme/services", **allowed}},
        **more,
    }


def file(path: str, text: str, status: str = "modified") -> dict[str, str]:
    return {"filename": path, "status": status, "sha": blob_sha(text)}


def merge(github: FakeGitHub, patience: float = 5.0) -> str:
    return repository(github, patience=patience).merge(CHANGE, 7)


def test_given_the_change_when_merged_then_three_requests_with_the_head_that_was_looked_at(
    github: FakeGitHub,
) -> None:
    assert merge(github) == "merged"
    assert len(github.requests) == 3
    assert github.sent(MERGE) == [{"merge_method": "squash", "sha": SHA}]


def test_given_more_files_than_a_page_when_merged_then_all_are_compared(
    github: FakeGitHub,
) -> None:
    following = f'<{github.url}/repos/acme/services/pulls/7/files?page=2>; rel="next"'
    github.script(
        FILES,
        (200, [file(PATH, TEXT)], {"Link": following}),
        (200, [file("apps/shop/more", "x", "added")], {}),
    )

    assert merge(github) == "changed"
    assert github.count(MERGE) == 0


def test_given_a_deletion_of_another_change_when_merged_then_the_content_is_not_enough(
    github: FakeGitHub,
) -> None:
    github.script(FILES, (200, [file(PATH, TEXT, "removed")], {}))

    assert merge(github) == "changed"


def test_given_the_head_moved_when_merged_then_changed(github: FakeGitHub) -> None:
    github.script(MERGE, (409, {"message": "Head branch was modified."}, {}))

    assert merge(github) == "changed"
    assert github.count(LATER) == 0


def test_given_the_head_moved_after_a_refusal_when_merged_then_changed(github: FakeGitHub) -> None:
    github.script(MERGE, REFUSED)
    github.script(PULL, (200, pull(github), {}), (200, pull(github, head={"sha": "b" * 40}), {}))

    assert merge(github) == "changed"
    assert github.count(LATER) == 0


# -- refused at first


def test_given_mergeability_is_unknown_yet_when_merged_then_asked_again(
    github: FakeGitHub,
) -> None:
    github.script(PULL, (200, pull(github, mergeable=None), {}))
    github.script(MERGE, (405, {"message": "Pull Request is not mergeable"}, {}), REFUSED, MERGED)

    assert merge(github) == "merged"
    assert github.count(MERGE) == 3
    assert github.count(LATER) == 0


def test_given_mergeability_stays_unknown_when_patience_ends_then_left_to_github(
    github: FakeGitHub,
) -> None:
    github.script(PULL, (200, pull(github, mergeable=None), {}))
    github.script(MERGE, REFUSED)

    started = time.monotonic()
    assert merge(github, patience=0.1) == "waiting_for_checks"
    assert time.monotonic() - started < 5
    assert github.count(LATER) == 1


@pytest.mark.parametrize("status", ["clean", "unstable"])
def test_given_auto_merge_is_refused_because_it_can_be_merged_when_merged_then_it_is(
    github: FakeGitHub, status: str
) -> None:
    github.script(MERGE, (405, {"message": "Base branch was modified."}, {}), MERGED)
    message = f"Pull request Pull request is in {status} status"
    github.script(LATER, graphql_error(message, "UNPROCESSABLE"))

    assert merge(github) == "merged"


def test_given_github_contradicts_itself_when_patience_ends_then_people_must(
    github: FakeGitHub,
) -> None:
    github.script(MERGE, REFUSED)
    github.script(LATER, graphql_error("Pull request is in clean status", "UNPROCESSABLE"))

    assert merge(github, patience=0.1) == "waiting_for_people"


def test_given_it_was_merged_meanwhile_when_refused_then_merged(github: FakeGitHub) -> None:
    github.script(MERGE, (405, {"message": "Pull Request is not mergeable"}, {}))
    merged = pull(github, state="closed", merged=True, mergeable=None)
    github.script(PULL, (200, pull(github), {}), (200, merged, {}))

    assert merge(github) == "merged"


# -- auto-merge


def test_given_protection_when_merged_then_auto_merge_of_that_head_is_enabled(
    github: FakeGitHub,
) -> None:
    github.script(MERGE, REFUSED)

    assert merge(github) == "waiting_for_checks"
    (sent,) = github.sent(LATER)
    assert sent["variables"]["input"] == {
        "pullRequestId": "PR_7",
        "expectedHeadOid": SHA,
        "mergeMethod": "SQUASH",
    }


def test_given_auto_merge_is_enabled_when_merged_again_then_success(github: FakeGitHub) -> None:
    github.script(PULL, (200, pull(github, auto_merge={"merge_method": "squash"}), {}))
    github.script(MERGE, REFUSED)

    assert merge(github) == "waiting_for_checks"
    assert github.count(LATER) == 0


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Auto merge is not allowed for this repository", "UNPROCESSABLE"),
        ("Resource not accessible by integration", "FORBIDDEN"),
        ("Could not resolve to a node", "NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("status", [403, 405])
def test_given_auto_merge_is_refused_when_merged_then_people_must(
    github: FakeGitHub, message: str, kind: str, status: int
) -> None:
    github.script(MERGE, (status, {"message": "You are not allowed to merge"}, {}))
    github.script(LATER, graphql_error(message, kind))

    assert merge(github) == "waiting_for_people"


@pytest.mark.parametrize("kind", ["RATE_LIMIT", "RATE_LIMITED"])
def test_given_graphql_throttles_when_merged_then_not_now_until_it_says(
    github: FakeGitHub, kind: str
) -> None:
    reset = str(int(time.time()) + 900)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    github.script(MERGE, REFUSED)
    github.script(LATER, graphql_error("API rate limit exceeded", kind, **headers))

    with pytest.raises(GitHubUnavailable, match="API rate limit exceeded") as caught:
        merge(github)

    assert caught.value.retry_at is not None
    assert timedelta(seconds=700) < caught.value.retry_at - datetime.now(UTC)


def test_given_graphql_fails_when_merged_then_not_now(github: FakeGitHub) -> None:
    github.script(MERGE, REFUSED)
    github.script(LATER, graphql_error("Something went wrong while executing your query."))

    with pytest.raises(GitHubUnavailable, match="Something went wrong"):
        merge(github)


def test_given_no_answer_of_graphql_when_merged_then_not_now(github: FakeGitHub) -> None:
    github.script(MERGE, REFUSED)
    github.script(LATER, (502, {"message": "We couldn't respond to your request in time."}, {}))

    with pytest.raises(GitHubUnavailable):
        merge(github, patience=0.1)


def test_given_an_answer_that_is_no_decision_when_merged_then_an_error(github: FakeGitHub) -> None:
    github.script(MERGE, REFUSED)
    github.script(LATER, (404, {"message": "Not Found"}, {}))

    with pytest.raises(GitHubError, match="404.*merge pull request #7"):
        merge(github)


# -- credentials and throttling


@pytest.mark.parametrize("route", [PULL, FILES, MERGE, LATER])
def test_given_rotated_credentials_when_merged_then_fresh_ones_are_read_once(
    github: FakeGitHub, route: str
) -> None:
    github.script(MERGE, REFUSED)
    good = github.answers[full_route(route)][0]
    github.script(route, (401, {"message": "Bad credentials"}, {}), good)
    asked: list[bool] = []

    def credentials(fresh: bool) -> GitHubCredentials:
        asked.append(fresh)
        return GitHubCredentials(token=SecretStr("ghp_new" if fresh else "ghp_old"))

    assert repository(github, credentials).merge(CHANGE, 7) == "waiting_for_checks"
    assert asked == [False, True]


def test_given_credentials_stay_refused_when_merged_then_an_error(github: FakeGitHub) -> None:
    github.script(MERGE, (401, {"message": "Bad credentials"}, {}))

    with pytest.raises(GitHubError, match="401"):
        merge(github)

    assert github.count(MERGE) == 2


@pytest.mark.parametrize("status", [403, 429])
def test_given_throttled_when_merged_then_not_taken_for_a_refusal(
    github: FakeGitHub, status: int
) -> None:
    message = "You have exceeded a secondary rate limit"
    github.script(MERGE, (status, {"message": message}, {"Retry-After": "900"}))

    with pytest.raises(GitHubUnavailable) as caught:
        merge(github)

    assert caught.value.retry_at is not None
    assert github.count(LATER) == 0


def test_given_the_method_is_not_told_when_merged_then_it_is_looked_up(github: FakeGitHub) -> None:
    url = f"{github.url}/repos/acme/services"
    repo = {"url": url, "full_name": "acme/services"}
    github.script(PULL, (200, pull(github, base={"ref": "main", "repo": repo}), {}))
    allowed = {"allow_squash_merge": False, "allow_merge_commit": False}
    github.answers["GET /repos/acme/services"] = [(200, {**repo, **allowed}, {})]

    assert merge(github) == "merged"
    assert github.sent(MERGE) == [{"merge_method": "rebase", "sha": SHA}]
