"""A scripted GitHub, and the services repository that calls it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.github import merging
from slipway.github import repository as repositories
from slipway.github.models import Place
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


VIEWER, LOOK, PROPOSE, DECORATE, CLOSE = (
    f"POST /graphql {name}" for name in ("Viewer", "Look", "Propose", "Decorate", "Close")
)
NODE = {
    "id": "PR_7",
    "number": 7,
    "url": "https://github.test/pull/7",
    "state": "OPEN",
    "isCrossRepository": False,
    "viewerDidAuthor": True,
    "headRefOid": SHA,
    "baseRefName": "main",
    "createdAt": "2026-11-23T10:00:00Z",
    "closedAt": None,
    "mergedAt": None,
    "labels": {"nodes": []},
}


def data(errors: Any = (), **fields: Any) -> Answer:
    """Make an answer to a GraphQL document."""
    listed = {"errors": [*errors]} if errors else {}
    return 200, {"data": fields, **listed}, {}


def refused(message: str, *path: str, kind: str = "UNPROCESSABLE") -> dict[str, Any]:
    """Make an error of one field."""
    return {"type": kind, "path": list(path), "message": message}


def seen(*pulls: Any, branch: str | None = None, errors: Any = (), **fields: Any) -> Answer:
    """Make the answer to the first query: by default no folder, branch or pull request."""
    repository = {
        "id": "R_1",
        "base": {"target": {"oid": "c" * 40}},
        "branch": {"target": {"oid": branch}} if branch else None,
        "pullRequests": {"nodes": [*pulls]},
        "folder0": None,
        "label0": {"id": "L_1"},
    }
    people = {"user0": {"id": "U_1"}, "organization": {"team0": {"id": "T_1"}}}
    inside = {name: value for name, value in fields.items() if name not in people}
    outside = {**people, **{name: value for name, value in fields.items() if name in people}}
    return data(errors, repository={**repository, **inside}, **outside)


def proposed(errors: Any = (), **fields: Any) -> Answer:
    """Make the answer to the second document: by default all fields."""
    made = {
        "createRef": {"ref": {"name": BRANCH}},
        "createCommitOnBranch": {"commit": {"oid": SHA}},
        "createPullRequest": {"pullRequest": NODE},
    }
    return data(errors, **{**made, **fields})


class FakeGitHub(ScriptedServer):
    """A GitHub for one proposal.

    A route is below the repository, except for `/graphql`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pull = {
            **PULL,
            "url": f"{self.url}{REPOSITORY}/pulls/7",
            "issue_url": f"{self.url}{REPOSITORY}/issues/7",
        }
        self.script(VIEWER, data(viewer={"login": "slipway"}))
        self.script(LOOK, seen())
        self.script(PROPOSE, proposed())
        self.script(DECORATE, data(addLabelsToLabelable=None))
        self.script(CLOSE, data(closePullRequest=None))
        self.script("GET /pulls", (200, [], {}))
        self.script("GET /git/ref/heads/main", (200, {"object": {"sha": SHA}}, {}))
        self.script("POST /git/trees", (201, {"sha": SHA}, {}))
        # Every commit is the same, and is its own parent.
        commit = {"sha": SHA, "tree": {"sha": SHA}, "parents": [{"sha": SHA}]}
        self.script(f"GET /git/commits/{SHA}", (200, commit, {}))
        self.script(f"GET /compare/main...{SHA}", (200, {"status": "identical"}, {}))
        self.script("POST /issues/7/labels", (200, [], {}))

    def script(self, route: str, *answers: Answer) -> None:
        super().script(full_route(route), *answers)

    def count(self, route: str) -> int:
        return self.routes().count(full_route(route))

    def sent(self, route: str) -> list[Any]:
        return self.bodies(full_route(route))

    def operations(self) -> list[str]:
        """Return the operation names of the sent GraphQL documents."""
        sent = [body["query"] for body in self.bodies("POST /graphql")]
        return [re.split(r"\W+", document.strip())[1] for document in sent]

    def variables(self, operation: str) -> list[Any]:
        """Return the variables of an operation's documents."""
        bodies = self.bodies("POST /graphql")
        named = zip(self.operations(), bodies, strict=True)
        return [body["variables"] for name, body in named if name == operation]


def full_route(route: str) -> str:
    return route if " /graphql" in route else route.replace(" ", f" {REPOSITORY}", 1)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    for module in (merging, repositories):
        monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.01)
    with FakeGitHub().running() as server:
        yield server


def repository(
    github: FakeGitHub,
    credentials: Callable[[bool], GitHubCredentials] | None = None,
    retry_budget: float = 5.0,
    method: str = "auto",
) -> ServicesRepository:
    config = GitHubConfig.model_validate(
        {
            "GITHUB_API_URL": github.url,
            "GITHUB_SECRET_ID": "slipway/github",
        }
    )
    token = GitHubCredentials(token=SecretStr("ghp_first"))
    place = Place.model_validate({"name": "acme/services", "merge_method": method})
    find = credentials or (lambda fresh: token)
    return ServicesRepository(config, place, find, retry_budget=retry_budget)
