"""What the sweep reads and changes in pull requests, on a server of GitHub's API."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from slipway.github.pull_requests import PullRequests

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

CHANGE = change({"apps/shop/a.yaml": "a: 1\n"})


def test_open_pull_requests_are_listed_with_their_times(
    services: Services,
) -> None:
    pulls = PullRequests(services.slipway)
    made = services.slipway.propose(CHANGE)

    assert pulls.open() == {BRANCH: made}
    assert abs(made.opened_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert made.ended_at is None

    closed = services.slipway.close(BRANCH, "Why")

    assert pulls.open() == {}
    assert closed is not None
    assert closed.ended_at is not None
    assert closed.ended_at >= closed.opened_at


def test_repeated_comment_is_added_once(services: Services) -> None:
    number = services.slipway.propose(CHANGE).number

    for text in ("Soon.", "Soon.", "Now."):
        PullRequests(services.slipway).remind(number, text)

    comments = services.github.get_pull(number).get_issue_comments()
    assert [each.body for each in comments] == ["Soon.", "Now."]


def test_branch_of_a_manually_closed_pull_request_is_deleted(services: Services) -> None:
    closed = services.slipway.propose(CHANGE)
    services.github.get_pull(closed.number).edit(state="closed")
    other = replace(CHANGE, branch="slipway/upscale_service/r_2")
    services.slipway.propose(other)
    pulls = PullRequests(services.slipway)

    for branch in pulls.branches():
        services.slipway.delete_finished(branch)

    assert services.branches() == ["main", other.branch]
