"""What the services repository makes of GitHub's refusals. A real HTTP server plays GitHub."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import BranchTaken, GitHubError, GitHubUnavailable, ServiceExists
from slipway.github.models import Change

from tests.scripted import Answer
from tests.unit.github.conftest import BRANCH, SHA, FakeGitHub, repository

pytestmark = pytest.mark.waits

PARENT = {"sha": SHA}
CHANGE = Change(
    service="shop",
    branch=BRANCH,
    title="Scaffold new service shop",
    body="body",
    files={"apps/shop/portData.json": "{}\n"},
    labels=("slipway",),
    reviewers=("team:payments", "olivia"),
    creates_service=True,
)


def test_proposal_takes_ten_requests_with_two_reviewers(
    github: FakeGitHub,
) -> None:
    pull = repository(github).propose(CHANGE)

    assert (pull.number, pull.state, pull.notes) == (7, "open", ())
    assert len(github.requests) == 10


def test_given_the_pull_request_with_its_labels_when_proposed_then_only_looked_at(
    github: FakeGitHub,
) -> None:
    github.script("GET /pulls", (200, [{**github.pull, "labels": [{"name": "slipway"}]}], {}))

    repository(github).propose(CHANGE, head=SHA, admit=lambda: pytest.fail("was admitted before"))

    # Which pull request there is, and who Slipway is.
    assert len(github.requests) == 2


def test_given_a_crash_before_the_labels_when_proposed_again_then_they_are_set(
    github: FakeGitHub,
) -> None:
    github.script("GET /pulls", (200, [github.pull], {}))

    repository(github).propose(CHANGE)

    assert github.count("POST /issues/7/labels") == 1
    assert github.count("POST /pulls") == 0


@pytest.mark.parametrize(("merged_at", "state"), [(None, "closed"), ("2026-11-23", "merged")])
def test_given_a_finished_pull_request_when_proposed_again_then_nothing_is_written(
    github: FakeGitHub, merged_at: str | None, state: str
) -> None:
    merged = merged_at and f"{merged_at}T00:00:00Z"
    github.script(
        "GET /pulls", (200, [{**github.pull, "state": "closed", "merged_at": merged}], {})
    )

    assert repository(github).propose(CHANGE).state == state
    assert len(github.requests) == 2


def test_given_the_branch_is_there_when_proposed_then_it_goes_on_with_it(
    github: FakeGitHub,
) -> None:
    github.script("POST /git/refs", (422, {"message": "Reference already exists"}, {}))

    assert repository(github).propose(CHANGE).number == 7


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (f"GET /compare/main...{SHA}", {"status": "ahead"}),
        (f"GET /git/commits/{SHA}", {"sha": SHA, "tree": {"sha": "b" * 40}, "parents": [PARENT]}),
        (f"GET /git/commits/{SHA}", {"sha": SHA, "tree": {"sha": SHA}, "parents": []}),
    ],
)
@pytest.mark.parametrize("there", ["branch", "pull request"])
def test_proposal_is_on_hold_when_the_branch_is_taken(
    github: FakeGitHub, answer: str, body: dict[str, Any], there: str
) -> None:
    github.script(answer, (200, body, {}))
    github.script("POST /git/refs", (422, {"message": "Reference already exists"}, {}))
    if there == "pull request":
        github.script("GET /pulls", (200, [github.pull], {}))

    with pytest.raises(BranchTaken, match=f"branch '{BRANCH}', and the run is on hold"):
        repository(github).propose(CHANGE)

    assert github.count("POST /pulls") == 0
    assert github.count("POST /issues/7/labels") == 0


@pytest.mark.parametrize(
    "foreign",
    [
        {"user": {"login": "mallory"}},
        {"user": None},
        {"head": {"sha": SHA, "repo": {"id": 2}}},
        {"head": {"sha": SHA, "repo": None}},
    ],
)
def test_foreign_pull_request_is_not_adopted(github: FakeGitHub, foreign: dict[str, Any]) -> None:
    github.script("GET /pulls", (200, [{**github.pull, **foreign}], {}))
    github.script("POST /pulls", (422, {"message": "A pull request already exists"}, {}))

    assert repository(github).find(BRANCH) is None
    with pytest.raises(BranchTaken, match="A pull request that Slipway did not open"):
        repository(github).propose(CHANGE)


def test_pull_request_is_closed_when_the_branch_moved_meanwhile(github: FakeGitHub) -> None:
    moved = {**github.pull, "head": {"sha": "b" * 40, "repo": {"id": 1}}}
    github.script("POST /pulls", (201, moved, {}))
    github.script("PATCH /pulls/7", (200, {**moved, "state": "closed"}, {}))

    with pytest.raises(BranchTaken, match="#7"):
        repository(github).propose(CHANGE)

    assert github.sent("PATCH /pulls/7") == [{"state": "closed"}]


def test_given_another_422_for_the_branch_when_proposed_then_it_is_an_error(
    github: FakeGitHub,
) -> None:
    github.script("POST /git/refs", (422, {"message": "Object does not exist"}, {}))

    with pytest.raises(GitHubError, match="422.*Object does not exist"):
        repository(github).propose(CHANGE)


def test_given_the_answer_to_the_pull_request_was_lost_when_repeated_then_it_is_found(
    github: FakeGitHub,
) -> None:
    github.script("GET /pulls", (200, [], {}), (200, [github.pull], {}))
    github.script("POST /pulls", (422, {"message": "A pull request already exists"}, {}))

    assert repository(github).propose(CHANGE).number == 7


def test_given_the_service_is_on_main_when_proposed_then_refused_with_a_link(
    github: FakeGitHub,
) -> None:
    github.script("GET /contents/apps/shop", (200, [], {}))

    with pytest.raises(ServiceExists, match="/acme/services/tree/main/apps/shop"):
        repository(github).propose(CHANGE)

    assert github.count("POST /git/trees") == 0


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            422,
            {"message": "Review cannot be requested from pull request author."},
            "request author",
        ),
        (
            422,
            {"message": "Validation Failed", "errors": ["Could not resolve to a node."]},
            "node.",
        ),
        (
            422,
            {"message": "Validation Failed", "errors": [{"code": "custom", "message": "Why."}]},
            "Validation Failed Why.",
        ),
        (
            422,
            {"message": "Validation Failed", "errors": [{"field": "f", "code": "invalid"}]},
            "f inv",
        ),
        (403, {"message": "Resource not accessible by integration"}, "not accessible"),
        (404, {"message": "Not Found"}, "Not Found"),
    ],
)
def test_reviewer_refused_by_github_is_noted_with_its_reason(
    github: FakeGitHub, status: int, body: dict[str, Any], words: str
) -> None:
    created: Answer = (201, github.pull, {})
    github.script("POST /pulls/7/requested_reviewers", (status, body, {}), created)

    pull = repository(github).propose(CHANGE)

    (note,) = pull.notes
    assert note.startswith(f"GitHub did not ask team payments for a review ({status}): ")
    assert words in note
    assert github.sent("POST /pulls/7/requested_reviewers") == [
        {"team_reviewers": ["payments"]},
        {"reviewers": ["olivia"]},
    ]
    assert github.count("POST /issues/7/labels") == 1


def test_reviewer_is_asked_again_with_fresh_credentials(github: FakeGitHub) -> None:
    route = "POST /pulls/7/requested_reviewers"
    created: Answer = (201, github.pull, {})
    github.script(route, (401, {"message": "Bad credentials"}, {}), created)
    github.script("GET /pulls", (200, [], {}), (200, [github.pull], {}))

    assert repository(github).propose(CHANGE).notes == ()


def test_refusal_of_a_request_quotes_its_details(github: FakeGitHub) -> None:
    errors = [{"resource": "PullRequest", "code": "custom", "message": "No commits between"}]
    github.script("POST /pulls", (422, {"message": "Validation Failed", "errors": errors}, {}))

    with pytest.raises(GitHubError, match="Validation Failed No commits between"):
        repository(github).propose(CHANGE)


def test_commit_has_no_invented_author(github: FakeGitHub) -> None:
    repository(github).propose(CHANGE)

    (sent,) = github.sent("POST /git/commits")
    assert sent.keys() == {"message", "tree", "parents"}


def test_given_rotated_credentials_when_refused_then_fresh_ones_are_read_once(
    github: FakeGitHub,
) -> None:
    github.script("GET /pulls", (401, {"message": "Bad credentials"}, {}), (200, [], {}))
    asked: list[bool] = []

    def credentials(fresh: bool) -> GitHubCredentials:
        asked.append(fresh)
        return GitHubCredentials(token=SecretStr("ghp_new" if fresh else "ghp_old"))

    assert repository(github, credentials).propose(CHANGE).number == 7
    assert asked == [False, True]
    sent = [request.headers["Authorization"] for request in github.requests[:2]]
    assert sent == ["token ghp_old", "token ghp_new"]


@pytest.mark.parametrize("status", [401, 403, 404, 409])
def test_given_a_refusal_that_no_retry_mends_when_proposed_then_the_error_says_what(
    github: FakeGitHub, status: int
) -> None:
    github.script("POST /git/trees", (status, {"message": "Nope"}, {}))

    with pytest.raises(GitHubError, match=f"{status}.*slipway/create_service/r_1") as caught:
        repository(github).propose(CHANGE)

    assert caught.value.status == status


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_given_a_passing_failure_when_proposed_then_it_is_repeated_and_succeeds(
    github: FakeGitHub, status: int
) -> None:
    github.script("POST /git/trees", (status, {}, {}), (201, {"sha": SHA}, {}))

    assert repository(github).propose(CHANGE).number == 7


@pytest.mark.parametrize("status", [0, 429, 502])
def test_given_a_failure_that_stays_when_proposed_then_it_is_not_now(
    github: FakeGitHub, status: int
) -> None:
    github.script("POST /git/trees", (status, {"message": "down"}, {}))

    with pytest.raises(GitHubUnavailable):
        repository(github, patience=0.2).propose(CHANGE)


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
def test_given_a_rate_limit_when_longer_than_our_patience_then_not_waited_for_but_named(
    github: FakeGitHub, status: int, message: str, headers: dict[str, str]
) -> None:
    if "X-RateLimit-Reset" in headers:
        # Only now: the tests before this one took their time.
        headers = {**headers, "X-RateLimit-Reset": str(int(time.time()) + 900)}
    github.script("POST /git/trees", (status, {"message": message}, headers))

    with pytest.raises(GitHubUnavailable) as caught:
        repository(github, patience=5).propose(CHANGE)

    assert caught.value.retry_at is not None
    until = caught.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=500) < until < timedelta(seconds=910)
