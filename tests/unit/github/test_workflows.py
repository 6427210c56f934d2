"""Workflows and GitHub's answers, with a real HTTP server as GitHub."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import GitHubError, GitHubUnavailable
from slipway.github.workflows import Workflows

from tests.scripted import NO_ANSWER, Answer
from tests.unit.github.conftest import REPOSITORY, SHA, FakeGitHub, repository

pytestmark = pytest.mark.waits

FILE = ".github/workflows/slipway-restart.yml"
RUNS = "GET /actions/workflows/slipway-restart.yml/runs"
DISPATCH = "POST /actions/workflows/slipway-restart.yml/dispatches"
SINCE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ID = "0a1b-2"
INPUTS = {"service": "shop", "remediation": ID}
PAGE = "https://github.test/acme/services"


@pytest.fixture(autouse=True)
def empty(github: FakeGitHub) -> None:
    """Provide no run, and accept a new one."""
    github.script(RUNS, (200, {"total_count": 0, "workflow_runs": []}, {}))
    github.script(DISPATCH, (204, b"", {}))


def workflows(github: FakeGitHub, **options: Any) -> Workflows:
    return Workflows(repository(github, **options))


def asked(github: FakeGitHub) -> list[str]:
    return [route.replace(REPOSITORY, "", 1) for route in github.routes()]


def run(name: str = f"Restart shop ({ID})", **fields: Any) -> dict[str, Any]:
    return {
        "id": 9,
        "display_title": name,
        "status": "queued",
        "conclusion": None,
        "html_url": f"{PAGE}/actions/runs/9",
        "head_sha": SHA,
        **fields,
    }


def listed(*runs: dict[str, Any]) -> Answer:
    return 200, {"total_count": len(runs), "workflow_runs": list(runs)}, {}


def test_dispatch_starts_the_workflow_of_the_base_branch(github: FakeGitHub) -> None:
    assert workflows(github).dispatch(FILE, INPUTS) is None

    assert github.sent(DISPATCH) == [{"ref": "main", "inputs": INPUTS, "return_run_details": True}]


def test_dispatch_returns_the_run_when_github_names_it(github: FakeGitHub) -> None:
    details = {"workflow_run_id": 9, "run_url": f"{PAGE}/9", "html_url": f"{PAGE}/9"}
    github.script(DISPATCH, (200, details, {}))

    assert workflows(github).dispatch(FILE, INPUTS) == 9


def test_dispatch_omits_an_option_unknown_to_github(github: FakeGitHub) -> None:
    refusal = {"message": '"return_run_details" is not a permitted key.'}
    github.script(DISPATCH, (422, refusal, {}), (204, b"", {}))

    assert workflows(github).dispatch(FILE, INPUTS) is None
    assert github.sent(DISPATCH)[-1] == {"ref": "main", "inputs": INPUTS}


def test_run_is_found_by_its_marker(github: FakeGitHub) -> None:
    others = [run("Restart shop (0a1b-1)"), run("x")]
    github.script(RUNS, listed(*others, run(status="in_progress")))

    found = workflows(github).find(FILE, f"({ID})", since=SINCE)

    assert found is not None
    assert (found.state, found.url, found.commit) == ("running", f"{PAGE}/actions/runs/9", SHA)
    query = parse_qs(github.requests[0].query)
    assert query["event"] == ["workflow_dispatch"]
    assert query["created"] == [">=2026-11-23T10:00:00Z"]


@pytest.mark.parametrize(
    ("status", "conclusion", "state"),
    [
        ("queued", None, "queued"),
        ("requested", None, "queued"),
        ("waiting", None, "queued"),
        ("pending", None, "queued"),
        ("in_progress", None, "running"),
        ("completed", "success", "succeeded"),
        ("completed", "failure", "failed"),
        ("completed", "cancelled", "failed"),
        ("completed", "timed_out", "failed"),
        ("completed", "skipped", "failed"),
        ("completed", "startup_failure", "failed"),
    ],
)
def test_state_of_a_run_is_one_of_four(
    github: FakeGitHub, status: str, conclusion: str | None, state: str
) -> None:
    github.script(RUNS, listed(run(status=status, conclusion=conclusion)))

    found = workflows(github).find(FILE, ID, since=SINCE)

    assert found is not None
    assert (found.state, found.conclusion) == (state, conclusion)


def test_missing_run_is_not_found(github: FakeGitHub) -> None:
    assert workflows(github).find(FILE, ID, since=SINCE) is None


def test_missing_workflow_error_names_the_fix(github: FakeGitHub) -> None:
    github.script(RUNS, (404, {"message": "Not Found"}, {}))

    with pytest.raises(
        GitHubError, match=r"slipway-restart.yml was not found .* Copy it"
    ) as caught:
        workflows(github).find(FILE, ID, since=SINCE)
    assert caught.value.status == 404


@pytest.mark.parametrize("status", [403, 422])
def test_refused_dispatch_is_not_repeated(github: FakeGitHub, status: int) -> None:
    github.script(DISPATCH, (status, {"message": "Nope"}, {}))

    with pytest.raises(GitHubError, match=f"{status} to: run {FILE} in acme.services. Nope"):
        workflows(github).dispatch(FILE, INPUTS)
    assert len(github.sent(DISPATCH)) == 1


@pytest.mark.parametrize("status", [NO_ANSWER, 429, 503])
def test_persistent_failure_is_retried_later(github: FakeGitHub, status: int) -> None:
    github.script(RUNS, (status, {"message": "down"}, {}))

    with pytest.raises(GitHubUnavailable):
        workflows(github, retry_budget=0.2).find(FILE, ID, since=SINCE)


def test_rotated_credentials_are_read_again(github: FakeGitHub) -> None:
    github.script(RUNS, (401, {"message": "Bad credentials"}, {}), listed())

    def credentials(fresh: bool) -> GitHubCredentials:
        return GitHubCredentials(token=SecretStr("ghp_new" if fresh else "ghp_old"))

    assert workflows(github, credentials=credentials).find(FILE, ID, since=SINCE) is None
    sent = [request.headers["Authorization"] for request in github.requests]
    assert sent == ["token ghp_old", "token ghp_new"]
