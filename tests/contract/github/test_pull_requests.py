"""What the sweep needs of pull requests, against a server of GitHub's API."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from slipway.errors import GitHubError
from slipway.github.pull_requests import PullRequests

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

CHANGE = change({"apps/shop/a.yaml": "a: 1\n"})
WORKFLOW = """\
name: Slipway report
on:
  workflow_dispatch:
    inputs:
      pull_request: {required: true, type: string}
jobs:
  report:
    if: ${{ false }}
    runs-on: ubuntu-latest
    steps: [{run: "true"}]
"""


def test_given_pull_requests_when_listed_then_the_open_ones_of_runs_with_their_times(
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


def test_given_a_comment_when_made_twice_then_it_is_there_once(services: Services) -> None:
    number = services.slipway.propose(CHANGE).number

    for text in ("Soon.", "Soon.", "Now."):
        PullRequests(services.slipway).remind(number, text)

    comments = services.github.get_pull(number).get_issue_comments()
    assert [each.body for each in comments] == ["Soon.", "Now."]


def test_given_no_workflow_when_a_report_is_asked_for_then_it_says_what_to_do(
    services: Services,
) -> None:
    with pytest.raises(GitHubError, match="Copy it to the default branch"):
        PullRequests(services.slipway).report_again(7)


def test_given_the_workflow_when_a_report_is_asked_for_then_it_is_started(
    services: Services,
) -> None:
    path = ".github/workflows/slipway-report.yml"
    services.github.create_file(path, "Report", WORKFLOW, branch="main")

    PullRequests(services.slipway).report_again(7)

    workflow = services.github.get_workflow("slipway-report.yml")
    deadline = time.monotonic() + 300
    while not (events := [run.event for run in workflow.get_runs()]):
        assert time.monotonic() < deadline
    assert events == ["workflow_dispatch"]


def test_branch_that_a_person_closed_is_deleted(services: Services) -> None:
    closed = services.slipway.propose(CHANGE)
    services.github.get_pull(closed.number).edit(state="closed")
    other = replace(CHANGE, branch="slipway/upscale_service/r_2")
    services.slipway.propose(other)
    pulls = PullRequests(services.slipway)

    for branch in pulls.branches():
        services.slipway.delete_finished(branch)

    assert services.branches() == ["main", other.branch]
