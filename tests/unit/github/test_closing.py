"""Closing after GitHub's refusals, with a real HTTP server as GitHub."""

import pytest
from slipway.errors import GitHubError, GitHubUnavailable

from tests.unit.github.conftest import BRANCH, FakeGitHub, full_route, repository

pytestmark = pytest.mark.waits

COMMENTS, CLOSE = "POST /issues/7/comments", "PATCH /pulls/7"
DELETE = f"DELETE /git/refs/heads/{BRANCH}"


@pytest.fixture
def github(github: FakeGitHub) -> FakeGitHub:
    """Provide an open pull request."""
    github.script("GET /pulls", (200, [github.pull], {}))
    github.script("GET /issues/7/comments", (200, [], {}))
    github.script(COMMENTS, (201, {"body": "Why"}, {}))
    github.script(CLOSE, (200, {**github.pull, "state": "closed"}, {}))
    github.script(DELETE, (204, None, {}))
    return github


def test_closing_comments_then_closes_then_deletes_the_branch(
    github: FakeGitHub,
) -> None:
    closed = repository(github).close(BRANCH, "Why")

    assert closed is not None
    assert closed.state == "closed"
    writes = [route for route in github.routes() if not route.startswith(("GET", "POST /graphql"))]
    assert writes == [full_route(route) for route in (COMMENTS, CLOSE, DELETE)]


@pytest.mark.parametrize("status", [0, 502])
def test_comment_is_not_repeated_when_its_answer_is_lost(github: FakeGitHub, status: int) -> None:
    github.script(COMMENTS, (status, {}, {}), (201, {}, {}))

    with pytest.raises(GitHubUnavailable):
        repository(github).close(BRANCH, "Why")

    assert github.count(COMMENTS) == 1


def test_closing_succeeds_when_the_branch_is_missing(github: FakeGitHub) -> None:
    github.script(DELETE, (422, {"message": "Reference does not exist"}, {}))

    closed = repository(github).close(BRANCH, "Why")

    assert closed is not None
    assert closed.state == "closed"


@pytest.mark.parametrize(
    ("status", "message"), [(422, "Cannot delete a protected branch"), (404, "Not Found")]
)
def test_closing_raises_when_the_branch_cannot_be_deleted(
    github: FakeGitHub, status: int, message: str
) -> None:
    github.script(DELETE, (status, {"message": message}, {}))

    with pytest.raises(GitHubError, match=f"{status}.*close the pull request of '{BRANCH}'"):
        repository(github).close(BRANCH, "Why")

    assert github.count(CLOSE) == 1
