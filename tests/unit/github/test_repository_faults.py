"""What the services repository makes of GitHub's refusals. A real HTTP server plays GitHub."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.errors import ConfigurationError, GitHubError, GitHubUnavailable, ServiceExists
from slipway.github.models import Change, service_folder
from slipway.github.repository import ServicesRepository, authenticate

from tests.scripted import Answer, ScriptedServer

REPOSITORY = "/repos/acme/services"
SHA = "a" * 40
BRANCH = "slipway/create_service/r_1"
PULL = {
    "number": 7,
    "html_url": "https://github.test/pull/7",
    "state": "open",
    "merged_at": None,
    "head": {"sha": SHA},
    "labels": [],
}


class FakeGitHub(ScriptedServer):
    """GitHub as far as one proposal needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.pull = {
            **PULL,
            "url": f"{self.url}{REPOSITORY}/pulls/7",
            "issue_url": f"{self.url}{REPOSITORY}/issues/7",
        }
        self.script("GET /pulls", (200, [], {}))
        self.script("GET /git/ref/heads/main", (200, {"object": {"sha": SHA}}, {}))
        self.script("GET /contents/apps/shop", (404, {"message": "Not Found"}, {}))
        self.script("POST /git/trees", (201, {"sha": SHA}, {}))
        self.script("POST /git/commits", (201, {"sha": SHA}, {}))
        self.script("POST /git/refs", (201, {"ref": BRANCH}, {}))
        self.script("POST /pulls", (201, self.pull, {}))
        self.script("POST /pulls/7/requested_reviewers", (201, self.pull, {}))
        self.script("POST /issues/7/labels", (200, [], {}))

    def script(self, route: str, *answers: Answer) -> None:
        super().script(route.replace(" ", f" {REPOSITORY}", 1), *answers)

    def count(self, route: str) -> int:
        return self.routes().count(route.replace(" ", f" {REPOSITORY}", 1))


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub().running() as server:
        yield server


def repository(
    github: FakeGitHub,
    credentials: Callable[[bool], GitHubCredentials] | None = None,
    patience: float = 5.0,
) -> ServicesRepository:
    config = GitHubConfig.model_validate(
        {
            "GITHUB_API_URL": github.url,
            "GITHUB_SECRET_ID": "slipway/github",
            "SERVICES_REPO": "acme/services",
        }
    )
    token = GitHubCredentials(token=SecretStr("ghp_first"))
    return ServicesRepository(config, credentials or (lambda fresh: token), patience=patience)


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
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 900)},
        ),
    ],
)
def test_given_a_rate_limit_when_longer_than_our_patience_then_not_waited_for_but_named(
    github: FakeGitHub, status: int, message: str, headers: dict[str, str]
) -> None:
    github.script("POST /git/trees", (status, {"message": message}, headers))

    with pytest.raises(GitHubUnavailable) as caught:
        repository(github, patience=5).propose(CHANGE)

    assert caught.value.retry_at is not None
    until = caught.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=700) < until < timedelta(seconds=910)


def test_given_neither_app_nor_token_when_signed_in_then_the_secret_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'app_id', 'installation_id'"):
        authenticate(GitHubCredentials(app_id=1))


@pytest.mark.parametrize(
    "path",
    [
        "apps/other/x",
        "apps/shop/../x",
        "apps/shop",
        "apps/shop/",
        "apps/shop/a//b",
        "apps/shop2/a",
        "x",
        "/x",
    ],
)
def test_given_a_path_outside_the_folder_when_a_change_is_made_then_it_cannot_be(path: str) -> None:
    with pytest.raises(ValueError, match="outside apps/shop"):
        Change(
            service="shop",
            branch=BRANCH,
            title="t",
            body="b",
            files={path: ""},
            committed_at=datetime.now(UTC),
        )


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a\n"])
def test_given_a_bad_name_when_its_folder_is_asked_for_then_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a service name"):
        service_folder(name)
