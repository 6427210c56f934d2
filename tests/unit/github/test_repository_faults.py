"""The services repository and GitHub's refusals, with a real HTTP server as GitHub."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import (
    BranchTaken,
    EntityExists,
    GitHubError,
    GitHubUnavailable,
    UserError,
)
from slipway.github.models import Change

from tests.entities import service_files
from tests.scripted import Answer
from tests.unit.github.conftest import (
    BRANCH,
    DECORATE,
    LOOK,
    NODE,
    PROPOSE,
    SHA,
    FakeGitHub,
    data,
    proposed,
    refused,
    repository,
    seen,
)

pytestmark = pytest.mark.waits

PARENT = {"sha": SHA}
CHANGE = Change(
    entity=service_files("shop"),
    branch=BRANCH,
    title="Scaffold new service shop",
    body="body",
    files={"apps/shop/portData.json": "{}\n"},
    labels=("slipway",),
    reviewers=("team:payments", "olivia"),
    creates=True,
)


LABELLED = {**NODE, "labels": {"nodes": [{"name": "slipway"}]}}
OTHER = "b" * 40
TAKEN = refused(f'A ref named "refs/heads/{BRANCH}" already exists.', "createRef")
STALE = refused("Expected branch to point elsewhere.", "createCommitOnBranch", kind="STALE_DATA")


def test_proposal_takes_three_requests(github: FakeGitHub) -> None:
    pull = repository(github).propose(CHANGE)

    assert (pull.number, pull.state, pull.head_sha, pull.notes) == (7, "open", SHA, ())
    assert github.operations() == ["Look", "Propose", "Decorate"]
    assert len(github.requests) == 3


def test_proposal_sends_base_files_and_reviewers(github: FakeGitHub) -> None:
    repository(github).propose(CHANGE)

    (sent,) = github.variables("Propose")
    assert sent["ref"]["oid"] == sent["commit"]["expectedHeadOid"] == "c" * 40
    assert sent["commit"]["fileChanges"] == {
        "additions": [{"path": "apps/shop/portData.json", "contents": "e30K"}],
        "deletions": [],
    }
    assert sent["commit"].keys() == {"branch", "expectedHeadOid", "message", "fileChanges"}
    assert sent["pull"]["maintainerCanModify"] is False
    (decorated,) = github.variables("Decorate")
    asked = {"pullRequestId": "PR_7", "union": True}
    assert decorated == {
        "reviewer0": {**asked, "userIds": ["U_1"]},
        "reviewer1": {**asked, "teamIds": ["T_1"]},
        "labels": {"labelableId": "PR_7", "labelIds": ["L_1"]},
    }


def test_proposal_is_only_read_when_its_labels_exist(github: FakeGitHub) -> None:
    github.script(LOOK, seen(LABELLED))

    repository(github).propose(CHANGE, head=SHA, admit=lambda: pytest.fail("was admitted before"))

    assert github.operations() == ["Look"]


def test_labels_are_set_after_an_earlier_crash(github: FakeGitHub) -> None:
    github.script(LOOK, seen(NODE))

    repository(github).propose(CHANGE)

    assert github.operations() == ["Look", "Decorate"]


@pytest.mark.parametrize(
    ("state", "base", "found"),
    [("CLOSED", "main", "closed"), ("MERGED", "main", "merged"), ("MERGED", "x", "closed")],
)
def test_finished_pull_request_is_left_alone(
    github: FakeGitHub, state: str, base: str, found: str
) -> None:
    github.script(LOOK, seen({**NODE, "state": state, "baseRefName": base}))

    assert repository(github).propose(CHANGE).state == found
    assert github.operations() == ["Look"]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (f"GET /compare/main...{SHA}", {"status": "ahead"}),
        (f"GET /git/commits/{SHA}", {"sha": SHA, "tree": {"sha": OTHER}, "parents": [PARENT]}),
        (f"GET /git/commits/{SHA}", {"sha": SHA, "tree": {"sha": SHA}, "parents": []}),
    ],
)
@pytest.mark.parametrize("there", ["branch", "pull request"])
def test_proposal_is_on_hold_when_the_branch_is_taken(
    github: FakeGitHub, answer: str, body: dict[str, Any], there: str
) -> None:
    # The branch is not on the base branch, but its parent commit is.
    below: Answer = (200, {"status": "ahead" if there == "branch" else "behind"}, {})
    github.script(f"GET /compare/main...{SHA}", below, (200, {"status": "behind"}, {}))
    github.script(answer, *([below] if "compare" in answer else []), (200, body, {}))
    github.script(LOOK, seen(NODE) if there == "pull request" else seen(branch=SHA))
    if there == "pull request" and "compare" in answer:
        github.script(answer, (200, body, {}))

    with pytest.raises(BranchTaken, match=f"branch '{BRANCH}', and the run is on hold"):
        repository(github).propose(CHANGE)

    assert github.operations() == ["Look"]


def test_branch_with_the_change_is_continued(github: FakeGitHub) -> None:
    below: Answer = (200, {"status": "behind"}, {})
    github.script(f"GET /compare/main...{SHA}", (200, {"status": "ahead"}, {}), below)
    github.script(LOOK, seen(branch=SHA))
    github.script(PROPOSE, data(createPullRequest={"pullRequest": NODE}))

    assert repository(github).propose(CHANGE).number == 7

    assert [sent.keys() for sent in github.variables("Propose")] == [{"pull"}]


def test_branch_without_the_commit_is_continued(github: FakeGitHub) -> None:
    github.script(LOOK, seen(branch="c" * 40))

    assert repository(github).propose(CHANGE).number == 7

    assert [sent.keys() for sent in github.variables("Propose")] == [{"commit", "pull"}]


@pytest.mark.parametrize("foreign", [{"viewerDidAuthor": False}, {"isCrossRepository": True}])
def test_foreign_pull_request_is_not_adopted(github: FakeGitHub, foreign: dict[str, Any]) -> None:
    github.script(LOOK, seen({**NODE, **foreign}))
    there = refused("A pull request already exists for acme:x.", "createPullRequest")
    github.script(PROPOSE, proposed([there], createPullRequest=None))

    with pytest.raises(BranchTaken, match="a pull request that Slipway did not open"):
        repository(github).propose(CHANGE)


def test_recorded_pull_request_is_continued(github: FakeGitHub) -> None:
    # Slipway's credentials now belong to another user.
    github.script(LOOK, seen({**LABELLED, "viewerDidAuthor": False}))

    assert repository(github).propose(CHANGE, number=7, head=SHA).number == 7


@pytest.mark.parametrize(
    "foreign",
    [
        {"user": {"login": "mallory"}},
        {"user": None},
        {"head": {"sha": SHA, "repo": {"id": 2}}},
        {"head": {"sha": SHA, "repo": None}},
    ],
)
def test_foreign_pull_request_is_not_found(github: FakeGitHub, foreign: dict[str, Any]) -> None:
    github.script("GET /pulls", (200, [{**github.pull, **foreign}], {}))

    assert repository(github).find(BRANCH) is None


def test_pull_request_with_a_foreign_commit_is_closed(github: FakeGitHub) -> None:
    # GraphQL continues after a failed field: the branch appeared between query and mutations.
    theirs = {**NODE, "headRefOid": OTHER}
    made = {"createRef": None, "createCommitOnBranch": None}
    github.script(
        PROPOSE, proposed([TAKEN, STALE], **made, createPullRequest={"pullRequest": theirs})
    )
    commit = {"sha": OTHER, "tree": {"sha": OTHER}, "parents": [PARENT]}
    github.script(f"GET /git/commits/{OTHER}", (200, commit, {}))

    with pytest.raises(BranchTaken, match="#7"):
        repository(github).propose(CHANGE)

    assert github.variables("Close") == [{"close": {"pullRequestId": "PR_7"}}]


def test_commit_is_sent_alone_when_the_branch_is_unknown(github: FakeGitHub) -> None:
    unknown = refused("No ref found.", "createCommitOnBranch", kind="NOT_FOUND")
    none = refused("No commits between main and x", "createPullRequest")
    made = {"createCommitOnBranch": None, "createPullRequest": None}
    github.script(
        PROPOSE,
        proposed([unknown, none], **made),
        data(createCommitOnBranch={"commit": {"oid": SHA}}),
        data(createPullRequest={"pullRequest": NODE}),
    )

    assert repository(github).propose(CHANGE).number == 7

    sent = [[*variables] for variables in github.variables("Propose")]
    assert sent == [["ref", "commit", "pull"], ["commit"], ["pull"]]


def test_another_delivery_may_have_opened_the_pull_request(github: FakeGitHub) -> None:
    there = refused("A pull request already exists for acme:x.", "createPullRequest")
    made = {"createRef": None, "createCommitOnBranch": None, "createPullRequest": None}
    github.script(LOOK, seen(), seen(LABELLED))
    github.script(PROPOSE, proposed([TAKEN, STALE, there], **made))

    assert repository(github).propose(CHANGE).number == 7


def test_service_on_main_is_refused_with_a_link(github: FakeGitHub) -> None:
    github.script(LOOK, seen(folder0={"oid": SHA, "entries": []}))

    with pytest.raises(EntityExists, match="/acme/services/tree/main/apps/shop"):
        repository(github).propose(CHANGE)

    assert github.operations() == ["Look"]


@pytest.mark.parametrize("mode", [0o100755, 0o120000, 0o160000, 0o040000])
def test_file_of_another_mode_is_refused(github: FakeGitHub, mode: int) -> None:
    entries = [{"name": "portData.json", "mode": mode}]
    github.script(LOOK, seen(folder0={"oid": SHA, "entries": entries}))

    with pytest.raises(UserError, match=r"'apps/shop/portData\.json' is executable, a link"):
        repository(github).propose(replace(CHANGE, creates=False))

    assert github.operations() == ["Look"]


def test_reviewers_that_cannot_be_requested_are_noted(github: FakeGitHub) -> None:
    forbidden = refused("Not accessible.", "organization", "team0", kind="FORBIDDEN")
    github.script(LOOK, seen(errors=[forbidden], organization={"team0": None}))
    why = refused("Not by the pull request's author.", "reviewer0")
    github.script(DECORATE, data([why], reviewer0=None, addLabelsToLabelable={}))

    pull = repository(github).propose(CHANGE)

    assert pull.notes == (
        "GitHub did not request a review from team payments: Not accessible.",
        "GitHub did not request a review from olivia: Not by the pull request's author.",
    )


def test_missing_labels_are_created(github: FakeGitHub) -> None:
    github.script(LOOK, seen(label0=None))

    repository(github).propose(CHANGE)

    assert github.sent("POST /issues/7/labels") == [{"labels": ["slipway"]}]


def test_refused_labels_are_an_error(github: FakeGitHub) -> None:
    why = refused("Resource not accessible by integration", "addLabelsToLabelable")
    github.script(DECORATE, data([why], addLabelsToLabelable=None))

    with pytest.raises(GitHubError, match="not accessible by integration"):
        repository(github).propose(CHANGE)


def test_refused_mutation_is_quoted(github: FakeGitHub) -> None:
    why = refused("No commits between main and x", "createPullRequest")
    github.script(PROPOSE, proposed([why], createPullRequest=None))

    with pytest.raises(GitHubError, match="No commits between"):
        repository(github).propose(CHANGE)


def test_refused_commit_is_quoted(github: FakeGitHub) -> None:
    why = refused("Must not contain a malformed path", "createCommitOnBranch")
    github.script(PROPOSE, proposed([why], createCommitOnBranch=None, createPullRequest=None))

    with pytest.raises(GitHubError, match="malformed path"):
        repository(github).propose(CHANGE)


def test_unsupported_mutation_is_named(github: FakeGitHub) -> None:
    message = "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'"
    github.script(PROPOSE, (200, {"errors": [{"message": message}]}, {}))

    with pytest.raises(GitHubError, match=message):
        repository(github).propose(CHANGE)


def test_missing_repository_is_an_error(github: FakeGitHub) -> None:
    why = refused("Could not resolve to a Repository", "repository", kind="NOT_FOUND")
    github.script(LOOK, data([why], repository=None, user0=None))

    with pytest.raises(GitHubError, match="Could not resolve to a Repository"):
        repository(github).propose(CHANGE)


@pytest.mark.parametrize("field", ["createRef", "createCommitOnBranch", "createPullRequest"])
def test_refused_field_is_quoted(github: FakeGitHub, field: str) -> None:
    why = refused("Resource not accessible by integration", field, kind="FORBIDDEN")
    fields = ("createRef", "createCommitOnBranch", "createPullRequest")
    # Fields that depend on the failed field fail as well.
    failed = dict.fromkeys(fields[fields.index(field) :])
    github.script(PROPOSE, proposed([why], **failed))

    with pytest.raises(GitHubError, match="not accessible by integration"):
        repository(github).propose(CHANGE)

    assert "Decorate" not in github.operations()


def test_hidden_pull_request_is_omitted(github: FakeGitHub) -> None:
    github.script(LOOK, seen(None, LABELLED, None))

    assert repository(github).propose(CHANGE).number == 7

    assert github.operations() == ["Look"]


@pytest.mark.parametrize("where", ["base", "pullRequests"])
def test_unexpected_null_is_an_error(github: FakeGitHub, where: str) -> None:
    github.script(LOOK, seen(**{where: None}))

    with pytest.raises(GitHubError, match="has an unexpected form"):
        repository(github).propose(CHANGE)


def test_folder_of_100000_files_accepts_a_change(github: FakeGitHub) -> None:
    entries = [{"name": f"f{number}", "mode": 0o100755} for number in range(100_000)]
    entries.append({"name": "portData.json", "mode": 0o100644})
    github.script(LOOK, seen(folder0={"oid": SHA, "entries": entries}))

    assert repository(github).propose(replace(CHANGE, creates=False)).number == 7


# -- transient failures


TWICE = {("Propose", "Propose"), ("Decorate", "Decorate")}
LIMITED: Answer = (
    200,
    {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "Slow down"}]},
    {},
)


@pytest.mark.parametrize("operation", [LOOK, PROPOSE, DECORATE])
@pytest.mark.parametrize("failure", [(0, {}, {}), (429, {}, {}), (502, {}, {}), LIMITED])
def test_proposal_repeats_its_query(github: FakeGitHub, operation: str, failure: Answer) -> None:
    good = github.answers[operation][0]
    github.script(operation, failure, good)

    assert repository(github).propose(CHANGE).number == 7

    # A mutation is never sent twice without a query in between.
    assert not TWICE & set(pairwise(github.operations()))


@pytest.mark.parametrize("status", [0, 502])
def test_proposal_succeeds_when_the_mutation_answer_is_lost(
    github: FakeGitHub, status: int
) -> None:
    github.script(LOOK, seen(), seen(LABELLED))
    github.script(PROPOSE, (status, {}, {}))

    assert repository(github).propose(CHANGE).number == 7

    assert github.operations() == ["Look", "Propose", "Look"]


def test_rotated_credentials_are_read_once_when_proposing(
    github: FakeGitHub,
) -> None:
    github.script(LOOK, (401, {"message": "Bad credentials"}, {}), seen())
    asked: list[bool] = []

    def credentials(fresh: bool) -> GitHubCredentials:
        asked.append(fresh)
        return GitHubCredentials(token=SecretStr("ghp_new" if fresh else "ghp_old"))

    assert repository(github, credentials).propose(CHANGE).number == 7
    assert asked == [False, True]
    sent = [request.headers["Authorization"] for request in github.requests[:2]]
    assert sent == ["token ghp_old", "token ghp_new"]


@pytest.mark.parametrize("status", [401, 403, 404, 409])
def test_permanent_proposal_failure_names_the_status_and_branch(
    github: FakeGitHub, status: int
) -> None:
    github.script(PROPOSE, (status, {"message": "Nope"}, {}))

    with pytest.raises(GitHubError, match=f"{status}.*slipway/create_service/r_1") as caught:
        repository(github).propose(CHANGE)

    assert caught.value.status == status


@pytest.mark.parametrize("status", [0, 429, 502])
def test_proposal_is_retryable_when_github_stays_down(github: FakeGitHub, status: int) -> None:
    github.script(PROPOSE, (status, {"message": "down"}, {}))

    with pytest.raises(GitHubUnavailable):
        repository(github, retry_budget=0.2).propose(CHANGE)


@pytest.mark.parametrize(
    ("status", "message", "headers"),
    [
        (403, "You have exceeded a secondary rate limit", {"Retry-After": "900"}),
        (429, "Too many requests", {"Retry-After": "900"}),
        (
            403,
            "API rate limit exceeded for installation",
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "900 s from now"},
        ),
    ],
)
def test_rate_limit_beyond_the_retry_budget_returns_a_retry_time(
    github: FakeGitHub, status: int, message: str, headers: dict[str, str]
) -> None:
    if "X-RateLimit-Reset" in headers:
        # Computed here, because earlier tests take time.
        headers = {**headers, "X-RateLimit-Reset": str(int(time.time()) + 900)}
    github.script(PROPOSE, (status, {"message": message}, headers))

    with pytest.raises(GitHubUnavailable) as caught:
        repository(github, retry_budget=5).propose(CHANGE)

    assert caught.value.retry_at is not None
    until = caught.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=500) < until < timedelta(seconds=910)


@pytest.mark.parametrize(
    "bug", [lambda: len(cast("Any", 5)), lambda: dict[str, int]()["x"], lambda: int("x")]
)
def test_own_bug_is_not_reported_as_a_github_error(
    github: FakeGitHub, bug: Callable[[], Any]
) -> None:
    with pytest.raises((TypeError, LookupError, ValueError)):
        repository(github).using("do it", lambda _repository, _branch: bug())
