"""What the services repository makes of GitHub's refusals. A real HTTP server plays GitHub."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError, GitHubError, GitHubUnavailable, ServiceExists
from slipway.github.models import Change
from slipway.github.repository import authenticate

from tests.unit.github.conftest import BRANCH, SHA, FakeGitHub, repository

pytestmark = pytest.mark.waits

CHANGE = Change(
    service="shop",
    branch=BRANCH,
    title="Scaffold new service shop",
    body="body",
    files={"apps/shop/portData.json": "{}\n"},
    committed_at=datetime(2026, 11, 23, tzinfo=UTC),
    labels=("slipway",),
    reviewers=("team:payments", "olivia"),
    creates_service=True,
)


def test_given_nothing_yet_when_proposed_then_nine_requests_make_the_pull_request(
    github: FakeGitHub,
) -> None:
    pull = repository(github).propose(CHANGE)

    assert (pull.number, pull.state, pull.notes) == (7, "open", ())
    assert len(github.requests) == 9


def test_given_the_pull_request_with_its_labels_when_proposed_then_only_looked_at(
    github: FakeGitHub,
) -> None:
    github.script("GET /pulls", (200, [{**github.pull, "labels": [{"name": "slipway"}]}], {}))

    repository(github).propose(CHANGE, admit=lambda: pytest.fail("was admitted before"))

    assert len(github.requests) == 1


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
    assert len(github.requests) == 1


def test_given_the_branch_is_there_when_proposed_then_it_goes_on_with_it(
    github: FakeGitHub,
) -> None:
    github.script("POST /git/refs", (422, {"message": "Reference already exists"}, {}))

    assert repository(github).propose(CHANGE).number == 7


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


def test_given_an_unknown_reviewer_when_proposed_then_it_is_a_note_and_labels_are_set(
    github: FakeGitHub,
) -> None:
    github.script("POST /pulls/7/requested_reviewers", (422, {"message": "not a collaborator"}, {}))

    pull = repository(github).propose(CHANGE)

    assert "could not ask team:payments, olivia" in pull.notes[0]
    assert github.count("POST /issues/7/labels") == 1


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


def test_given_neither_app_nor_token_when_signed_in_then_the_secret_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'app_id', 'installation_id'"):
        authenticate(GitHubCredentials(app_id=1))
