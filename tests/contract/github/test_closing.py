"""Finding a run's pull request, and closing it when its run has ended."""

import pytest
from slipway.errors import GitHubUnavailable

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

WHY = "The run was ended in Port."
CHANGE = change({"apps/shop/a.yaml": "a: 1\n"})


def comments(services: Services, number: int) -> list[str]:
    """Return the comments as people see them."""
    found = services.github.get_pull(number).get_issue_comments()
    return [each.body.partition("<!--")[0].strip() for each in found]


def test_missing_pull_request_is_not_found_or_closed(services: Services) -> None:
    assert services.slipway.find(BRANCH) is None
    assert services.slipway.close(BRANCH, WHY) is None


def test_closing_deletes_a_branch_without_a_pull_request(
    services: Services,
) -> None:
    base = services.github.get_branch("main").commit.sha
    services.github.create_git_ref(f"refs/heads/{BRANCH}", base)

    assert services.slipway.close(BRANCH, WHY) is None
    assert services.branches() == ["main"]


def test_pull_request_is_found_with_its_head(services: Services) -> None:
    made = services.slipway.propose(CHANGE)

    found = services.slipway.find(BRANCH)

    assert found == made
    assert found.head_sha == services.github.get_branch(BRANCH).commit.sha


def test_closing_twice_comments_once_and_deletes_the_branch(
    services: Services,
) -> None:
    number = services.slipway.propose(CHANGE).number

    first = services.slipway.close(BRANCH, WHY)
    second = services.slipway.close(BRANCH, WHY)

    assert first == second
    assert first is not None
    assert (first.number, first.state) == (number, "closed")
    assert comments(services, number) == [WHY]
    assert services.branches() == ["main"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/pulls/[0-9]+$"), ("DELETE", "/git/refs/"), ("POST", "/comments$")],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_closing_again_after_a_crash_has_the_same_result(
    services: Services, method: str, path: str, when: str
) -> None:
    number = services.slipway.propose(CHANGE).number
    services.server.fault(method=method, path=path, when=when, status=503)
    with pytest.raises(GitHubUnavailable):
        services.signed_in(retry_budget=0).close(BRANCH, WHY)

    closed = services.signed_in().close(BRANCH, WHY)

    assert closed is not None
    assert closed.state == "closed"
    assert comments(services, number) == [WHY]
    assert services.branches() == ["main"]


def test_closing_again_for_another_reason_deletes_the_branch(
    services: Services,
) -> None:
    number = services.slipway.propose(CHANGE).number
    services.server.fault(method="DELETE", path="/git/refs/", when="before", status=503)
    with pytest.raises(GitHubUnavailable):
        services.signed_in(retry_budget=0).close(BRANCH, "It was not merged within 30 days.")

    services.signed_in().close(BRANCH, WHY)

    assert comments(services, number) == ["It was not merged within 30 days."]
    assert services.branches() == ["main"]


def test_closing_closes_a_pull_request_without_a_branch(
    services: Services,
) -> None:
    number = services.slipway.propose(CHANGE).number
    services.github.get_git_ref(f"heads/{BRANCH}").delete()

    closed = services.slipway.close(BRANCH, WHY)

    assert closed is not None
    assert (closed.number, closed.state) == (number, "closed")


def test_closing_leaves_a_pull_request_that_a_person_closed(services: Services) -> None:
    number = services.slipway.propose(CHANGE).number
    services.github.get_pull(number).edit(state="closed")

    closed = services.slipway.close(BRANCH, WHY)

    assert closed is not None
    assert closed.state == "closed"
    assert comments(services, number) == []
    assert BRANCH in services.branches()


def test_closing_leaves_a_merged_pull_request(services: Services) -> None:
    number = services.propose(CHANGE)
    services.merge(CHANGE, number)

    closed = services.slipway.close(BRANCH, WHY)

    assert closed is not None
    assert closed.state == "merged"
    assert comments(services, number) == []


def test_newest_pull_request_of_a_branch_is_found(services: Services) -> None:
    first = services.slipway.propose(CHANGE).number
    services.github.get_pull(first).edit(state="closed")
    newer = services.github.create_pull(base="main", head=BRANCH, title="Again").number

    found = services.slipway.find(BRANCH)

    assert found is not None
    assert (found.number, found.state) == (newer, "open")
