"""A scripted GitHub, and the services repository that talks to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.github.repository import ServicesRepository

from tests.scripted import Answer, ScriptedServer

REPOSITORY = "/repos/acme/services"
SHA = "a" * 40
BRANCH = "slipway/create_service/r_1"
PULL = {
    "number": 7,
    "html_url": "https://github.test/pull/7",
    "state": "open",
    "created_at": "2026-11-23T10:00:00Z",
    "merged_at": None,
    "closed_at": None,
    "user": {"login": "slipway"},
    "head": {"sha": SHA, "repo": {"id": 1}},
    "base": {"ref": "main", "repo": {"id": 1}},
    "labels": [],
}


class FakeGitHub(ScriptedServer):
    """GitHub as far as one proposal needs it.

    A route is below the repository, except for `/graphql` and `/user`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pull = {
            **PULL,
            "url": f"{self.url}{REPOSITORY}/pulls/7",
            "issue_url": f"{self.url}{REPOSITORY}/issues/7",
        }
        self.script("GET /user", (200, {"login": "slipway"}, {}))
        self.script("GET /pulls", (200, [], {}))
        self.script("GET /git/ref/heads/main", (200, {"object": {"sha": SHA}}, {}))
        self.script("GET /contents/apps/shop", (404, {"message": "Not Found"}, {}))
        self.script("POST /git/trees", (201, {"sha": SHA}, {}))
        self.script("POST /git/commits", (201, {"sha": SHA}, {}))
        # Every commit is the same one, and its own parent.
        commit = {"sha": SHA, "tree": {"sha": SHA}, "parents": [{"sha": SHA}]}
        self.script(f"GET /git/commits/{SHA}", (200, commit, {}))
        self.script(f"GET /compare/main...{SHA}", (200, {"status": "identical"}, {}))
        self.script(f"GET /git/ref/heads/{BRANCH}", (200, {"object": {"sha": SHA}}, {}))
        self.script("POST /git/refs", (201, {"ref": BRANCH}, {}))
        self.script("POST /pulls", (201, self.pull, {}))
        self.script("POST /pulls/7/requested_reviewers", (201, self.pull, {}))
        self.script("POST /issues/7/labels", (200, [], {}))

    def script(self, route: str, *answers: Answer) -> None:
        super().script(full_route(route), *answers)

    def count(self, route: str) -> int:
        return self.routes().count(full_route(route))

    def sent(self, route: str) -> list[Any]:
        return self.bodies(full_route(route))


def full_route(route: str) -> str:
    outside = route.endswith((" /graphql", " /user"))
    return route if outside else route.replace(" ", f" {REPOSITORY}", 1)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub().running() as server:
        yield server


def repository(
    github: FakeGitHub,
    credentials: Callable[[bool], GitHubCredentials] | None = None,
    patience: float = 5.0,
    method: str = "auto",
) -> ServicesRepository:
    config = GitHubConfig.model_validate(
        {
            "GITHUB_API_URL": github.url,
            "GITHUB_SECRET_ID": "slipway/github",
            "SERVICES_REPO": "acme/services",
            "MERGE_METHOD": method,
        }
    )
    token = GitHubCredentials(token=SecretStr("ghp_first"))
    return ServicesRepository(config, credentials or (lambda fresh: token), patience=patience)
