"""Merging and GitHub's answers, with a real HTTP server as GitHub."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import GitHubError, GitHubUnavailable
from slipway.github.merging import Merge
from slipway.github.models import Change

from tests.entities import service_files
from tests.scripted import Answer
from tests.unit.github.conftest import BRANCH, SHA, FakeGitHub, full_route, repository

pytestmark = pytest.mark.waits

PULL, COMMIT, MERGE, UPDATE = (
    "GET /pulls/7",
    f"GET /git/commits/{'b' * 40}",
    "PUT /pulls/7/merge",
    "POST /graphql",
)
PATH, TEXT = "apps/shop/common_values.yaml", "replicas: 3\n"
CHANGE = Change(
    entity=service_files("shop"),
    branch=BRANCH,
    title="Upscale",
    body="body",
    files={PATH: TEXT},
)
MERGED: Answer = (200, {"merged": True, "sha": SHA}, {})
REFUSED: Answer = (405, {"message": "At least 1 approving review is required."}, {})
UPDATED: Answer = (
    200,
    {"data": {"updatePullRequestBranch": {"pullRequest": {"headRefOid": "b" * 40}}}},
    {},
)


def graphql_error(message: str, kind: str | None = None, **headers: str) -> Answer:
    error = {"message": message, "path": ["updatePullRequestBranch"]}
    return 200, {"data": None, "errors": [{**error, **({"type": kind} if kind else {})}]}, headers


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    """Provide an open pull request with the change, which GitHub merges."""
    github.script(PULL, (200, pull(github), {}))
    github.script(MERGE, MERGED)
    github.script(UPDATE, UPDATED)
    return github


def pull(github: FakeGitHub, **more: Any) -> dict[str, Any]:
    allowed = {f"allow_{name}": True for name in ("squash_merge", "merge_commit", "rebase_merge")}
    return {
        **github.pull,
        "node_id": "PR_7",
        "merged": False,
        "mergeable": True,
        "mergeable_state": "clean",
        "base": {"ref": "main", "repo": {"id": 1, "full_name": "acme/services", **allowed}},
        **more,
    }


def merge(github: FakeGitHub, retry_budget: float = 5.0, method: str = "auto") -> str:
    return outcome(github, retry_budget, method).state


def outcome(github: FakeGitHub, retry_budget: float = 5.0, method: str = "auto") -> Merge:
    return repository(github, retry_budget=retry_budget, method=method).merge(CHANGE, 7, SHA)


def refuse(github: FakeGitHub, state: str, reason: str = "Not yet.", **more: Any) -> None:
    """Let GitHub refuse the merge and report the pull request's state."""
    github.script(MERGE, (405, {"message": reason}, {}))
    github.script(PULL, (200, pull(github, mergeable_state=state, **more), {}))


def test_merge_sends_the_recorded_head_in_two_requests(github: FakeGitHub) -> None:
    assert merge(github) == "merged"
    assert len(github.requests) == 2
    assert github.sent(MERGE) == [{"merge_method": "squash", "sha": SHA}]


@pytest.mark.parametrize("parents", [[], [SHA], [SHA, SHA, SHA]])
def test_merge_is_changed_when_the_head_is_not_an_update(
    github: FakeGitHub, parents: list[str]
) -> None:
    github.script(PULL, (200, pull(github, head={"sha": "b" * 40}), {}))
    commit = {"sha": "b" * 40, "tree": {"sha": SHA}, "parents": [{"sha": p} for p in parents]}
    github.script(COMMIT, (200, commit, {}))

    assert merge(github) == "changed"
    assert github.count(MERGE) == 0


def test_merge_is_changed_when_a_chain_of_updates_has_no_end(github: FakeGitHub) -> None:
    github.script(PULL, (200, pull(github, head={"sha": "b" * 40}), {}))
    parents = [{"sha": "b" * 40}, {"sha": SHA}]
    github.script(COMMIT, (200, {"sha": "b" * 40, "tree": {"sha": SHA}, "parents": parents}, {}))

    assert merge(github) == "changed"
    assert github.count(COMMIT) <= 20


def test_merge_compares_again_when_the_head_moved(github: FakeGitHub) -> None:
    moved = pull(github, head={"sha": "b" * 40})
    github.script(PULL, (200, pull(github), {}), (200, moved, {}))
    commit = {"sha": "b" * 40, "tree": {"sha": SHA}, "parents": [{"sha": SHA}]}
    github.script(COMMIT, (200, commit, {}))
    github.script(MERGE, (409, {"message": "Head branch was modified."}, {}), MERGED)

    assert merge(github) == "changed"
    assert [sent["sha"] for sent in github.sent(MERGE)] == [SHA]


def test_merge_is_retargeted_when_the_base_was_changed(github: FakeGitHub) -> None:
    other = {**pull(github)["base"], "ref": "elsewhere"}
    github.script(PULL, (200, pull(github), {}), (200, pull(github, base=other), {}))
    github.script(MERGE, (405, {"message": "Base branch was modified."}, {}), MERGED)

    assert merge(github) == "retargeted"
    assert github.count(MERGE) == 1


def test_merge_is_closed_when_merged_into_another_branch(github: FakeGitHub) -> None:
    other = {**pull(github)["base"], "ref": "elsewhere"}
    github.script(PULL, (200, pull(github, state="closed", merged=True, base=other), {}))

    assert merge(github) == "closed"


# -- refused


def test_merge_succeeds_once_mergeability_is_known(github: FakeGitHub) -> None:
    refuse(github, "unknown", mergeable=None)
    github.script(MERGE, (405, {"message": "Pull Request is not mergeable"}, {}), REFUSED, MERGED)

    assert merge(github) == "merged"
    assert github.count(MERGE) == 3


def test_merge_waits_when_mergeability_stays_unknown(github: FakeGitHub) -> None:
    refuse(github, "unknown", "Pull Request is not mergeable", mergeable=None)

    assert outcome(github, 0.1) == Merge("waiting", "Pull Request is not mergeable", SHA)


@pytest.mark.parametrize("state", ["clean", "unstable", "has_hooks"])
def test_merge_is_tried_again_when_the_base_branch_moved(github: FakeGitHub, state: str) -> None:
    refuse(github, state)
    github.script(MERGE, (405, {"message": "Base branch was modified."}, {}), MERGED)

    assert merge(github) == "merged"


def test_merge_succeeds_when_its_answer_was_lost(github: FakeGitHub) -> None:
    github.script(MERGE, (405, {"message": "Pull Request is not mergeable"}, {}))
    merged = pull(github, state="closed", merged=True, mergeable=None)
    github.script(PULL, (200, pull(github), {}), (200, merged, {}))

    assert merge(github) == "merged"


def test_merge_waits_with_githubs_reason_when_blocked(github: FakeGitHub) -> None:
    reason = "At least 1 approving review is required by reviewers with write access."
    refuse(github, "blocked", reason)

    assert outcome(github) == Merge("waiting", reason, SHA)
    assert github.count(MERGE) == 1


@pytest.mark.parametrize("state", ["dirty", "draft"])
def test_merge_is_refused_when_only_a_person_can_help(github: FakeGitHub, state: str) -> None:
    refuse(github, state, "Pull Request is not mergeable")

    assert outcome(github) == Merge("refused", "Pull Request is not mergeable", SHA)


def test_merge_is_refused_when_slipway_may_not_merge(github: FakeGitHub) -> None:
    reason = "Resource not accessible by integration"
    refuse(github, "clean")
    github.script(MERGE, (403, {"message": reason}, {}))

    assert outcome(github) == Merge("refused", reason, SHA)


# -- behind


@pytest.mark.parametrize(
    ("method", "update"), [("auto", "MERGE"), ("merge", "MERGE"), ("rebase", "REBASE")]
)
def test_branch_behind_is_updated_from_the_compared_head(
    github: FakeGitHub, method: str, update: str
) -> None:
    refuse(github, "behind")

    assert merge(github, method=method) == "waiting"
    (sent,) = github.sent(UPDATE)
    assert sent["variables"]["input"] == {
        "pullRequestId": "PR_7",
        "expectedHeadOid": SHA,
        "updateMethod": update,
    }


@pytest.mark.parametrize("kind", ["UNPROCESSABLE", "FORBIDDEN"])
def test_merge_waits_with_the_reason_when_an_update_is_refused(
    github: FakeGitHub, kind: str
) -> None:
    refuse(github, "behind")
    github.script(UPDATE, graphql_error("merge conflict between base and head", kind))

    found = outcome(github)

    assert found.state == "waiting"
    assert "merge conflict between base and head" in found.reason


@pytest.mark.parametrize("kind", ["RATE_LIMIT", "RATE_LIMITED"])
def test_update_is_postponed_to_githubs_time_when_throttled(github: FakeGitHub, kind: str) -> None:
    reset = str(int(time.time()) + 900)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    refuse(github, "behind")
    github.script(UPDATE, graphql_error("API rate limit exceeded", kind, **headers))

    with pytest.raises(GitHubUnavailable, match="API rate limit exceeded") as caught:
        merge(github)

    assert caught.value.retry_at is not None
    assert timedelta(seconds=700) < caught.value.retry_at - datetime.now(UTC)


@pytest.mark.parametrize(
    "answer",
    [
        graphql_error("Something went wrong while executing your query."),
        (502, {"message": "We couldn't respond to your request in time."}, {}),
    ],
)
def test_update_is_postponed_when_github_fails(github: FakeGitHub, answer: Answer) -> None:
    refuse(github, "behind")
    github.script(UPDATE, answer)

    with pytest.raises(GitHubUnavailable):
        merge(github, 0.1)


def test_update_without_a_decision_is_an_error(github: FakeGitHub) -> None:
    refuse(github, "behind")
    github.script(UPDATE, (404, {"message": "Not Found"}, {}))

    with pytest.raises(GitHubError, match="404.*merge pull request #7"):
        merge(github)


# -- credentials and throttling


@pytest.mark.parametrize("route", [PULL, MERGE, UPDATE])
def test_rotated_credentials_are_read_once_when_merging(github: FakeGitHub, route: str) -> None:
    refuse(github, "behind")
    good = github.answers[full_route(route)][0]
    github.script(route, (401, {"message": "Bad credentials"}, {}), good)
    asked: list[bool] = []

    def credentials(fresh: bool) -> GitHubCredentials:
        asked.append(fresh)
        return GitHubCredentials(token=SecretStr("ghp_new" if fresh else "ghp_old"))

    assert repository(github, credentials).merge(CHANGE, 7, SHA).state == "waiting"
    assert asked == [False, True]


def test_merge_fails_when_credentials_stay_refused(github: FakeGitHub) -> None:
    github.script(MERGE, (401, {"message": "Bad credentials"}, {}))

    with pytest.raises(GitHubError, match="401"):
        merge(github)

    assert github.count(MERGE) == 2


@pytest.mark.parametrize("status", [403, 429])
def test_throttled_merge_is_not_a_refusal(github: FakeGitHub, status: int) -> None:
    message = "You have exceeded a secondary rate limit"
    github.script(MERGE, (status, {"message": message}, {"Retry-After": "900"}))

    with pytest.raises(GitHubUnavailable) as caught:
        merge(github)

    assert caught.value.retry_at is not None
    assert github.count(UPDATE) == 0


# -- method


@pytest.mark.parametrize("method", ["squash", "merge", "rebase"])
def test_merge_uses_the_configured_method(github: FakeGitHub, method: str) -> None:
    assert merge(github, method=method) == "merged"
    assert github.sent(MERGE) == [{"merge_method": method, "sha": SHA}]


def test_merge_method_is_looked_up_when_github_omits_it(github: FakeGitHub) -> None:
    url = f"{github.url}/repos/acme/services"
    repo = {"id": 1, "url": url, "full_name": "acme/services"}
    github.script(PULL, (200, pull(github, base={"ref": "main", "repo": repo}), {}))
    allowed = {"allow_squash_merge": False, "allow_merge_commit": False}
    github.answers["GET /repos/acme/services"] = [(200, {**repo, **allowed}, {})]

    assert merge(github) == "merged"
    assert github.sent(MERGE) == [{"merge_method": "rebase", "sha": SHA}]
