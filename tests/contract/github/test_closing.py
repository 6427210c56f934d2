"""Finding a run's pull request, and closing it when nobody wants it any more."""

import pytest
from slipway.errors import GitHubUnavailable

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

WHY = "The run was ended in Port."
CHANGE = change({"apps/shop/a.yaml": "a: 1\n"})


def comments(services: Services, number: int) -> list[str]:
    """What people see of the comments."""
    found = services.github.get_pull(number).get_issue_comments()
    return [each.body.partition("<!--")[0].strip() for each in found]


def test_given_no_pull_request_when_looked_for_then_none(services: Services) -> None:
    assert services.slipway.find(BRANCH) is None
    assert services.slipway.close(BRANCH, WHY) is None


def test_given_a_branch_whose_pull_request_never_came_when_closed_then_it_is_gone(
    services: Services,
) -> None:
    base = services.github.get_branch("main").commit.sha
    services.github.create_git_ref(f"refs/heads/{BRANCH}", base)

    assert services.slipway.close(BRANCH, WHY) is None
    assert services.branches() == ["main"]


def test_given_a_pull_request_when_found_then_with_its_head(services: Services) -> None:
    made = services.slipway.propose(CHANGE)

    found = services.slipway.find(BRANCH)

    assert found == made
    assert found.head_sha == services.github.get_branch(BRANCH).commit.sha


def test_given_an_open_one_when_closed_twice_then_one_comment_and_no_branch(
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
def test_given_a_crash_on_the_way_when_closed_again_then_the_same_end(
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


def test_given_a_crash_before_the_branch_went_when_closed_for_another_reason_then_it_goes(
    services: Services,
) -> None:
    number = services.slipway.propose(CHANGE).number
    services.server.fault(method="DELETE", path="/git/refs/", when="before", status=503)
    with pytest.raises(GitHubUnavailable):
        services.signed_in(retry_budget=0).close(BRANCH, "Nobody has merged it within 30 days.")

    services.signed_in().close(BRANCH, WHY)

    assert comments(services, number) == ["Nobody has merged it within 30 days."]
    assert services.branches() == ["main"]


def test_given_the_branch_was_deleted_when_closed_then_its_pull_request_is_closed(
    services: Services,
) -> None:
    number = services.slipway.propose(CHANGE).number
    services.github.get_git_ref(f"heads/{BRANCH}").delete()

    closed = services.slipway.close(BRANCH, WHY)

    assert closed is not None
    assert (closed.number, closed.state) == (number, "closed")


def test_given_a_person_closed_it_when_closed_then_it_stays_as_it_is(services: Services) -> None:
    number = services.slipway.propose(CHANGE).number
    services.github.get_pull(number).edit(state="closed")

    closed = services.slipway.close(BRANCH, WHY)

    assert closed is not None
    assert closed.state == "closed"
    assert comments(services, number) == []
    assert BRANCH in services.branches()


def test_given_a_merged_one_when_closed_then_it_stays_as_it_is(services: Services) -> None:
    number = services.propose(CHANGE)
    services.merge(CHANGE, number)

    closed = services.slipway.close(BRANCH, WHY)

    assert closed is not None
    assert closed.state == "merged"
    assert comments(services, number) == []


def test_given_an_earlier_one_of_the_branch_when_found_then_the_newest(services: Services) -> None:
    first = services.slipway.propose(CHANGE).number
    services.github.get_pull(first).edit(state="closed")
    newer = services.github.create_pull(base="main", head=BRANCH, title="Again").number

    found = services.slipway.find(BRANCH)

    assert found is not None
    assert (found.number, found.state) == (newer, "open")
