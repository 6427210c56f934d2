"""A server process, and what the tests do with it."""

import secrets
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from github import Auth, Github, InputGitAuthor, InputGitTreeElement
from github.PullRequest import PullRequest
from github.Repository import Repository

from sandbox.tests.http import HTTP

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "ghp_" + secrets.token_hex(18)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Live:
    """The running server."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    def client(self, token: str = TOKEN, **options: Any) -> Github:
        return Github(
            base_url=self.api,
            auth=Auth.Token(token),
            seconds_between_requests=None,
            seconds_between_writes=None,
            **{"retry": None, **options},
        )

    def as_user(self, login: str, **more: Any) -> str:
        answer = HTTP.post(f"{self.url}/_sandbox/tokens", json={"login": login, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def call(self, method: str, path: str, token: str = TOKEN, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return HTTP.request(method, self.api + path, headers=headers, **options)


def healthy(server: Live) -> bool:
    try:
        return HTTP.get(f"{server.url}/_sandbox/health").status_code == 200
    except httpx.TransportError:
        return False


def commit(repo: Repository, files: dict[str, str | None], branch: str, base: str = "main") -> str:
    """One atomic commit on a new branch, as the product makes it."""
    tip = repo.get_git_ref(f"heads/{base}").object.sha
    parent = repo.get_git_commit(tip)
    elements = [
        InputGitTreeElement(path, "100644", "blob", sha=None)
        if content is None
        else InputGitTreeElement(path, "100644", "blob", content=content)
        for path, content in files.items()
    ]
    tree = repo.create_git_tree(elements, base_tree=parent.tree)
    author = InputGitAuthor("slipway", "slipway@example.com", WHEN.isoformat())
    made = repo.create_git_commit(f"change {branch}", tree, [parent], author, author)
    if branch == base:
        repo.get_git_ref(f"heads/{branch}").edit(made.sha)
    else:
        repo.create_git_ref(f"refs/heads/{branch}", made.sha)
    return made.sha


def open_pull(
    repo: Repository, files: dict[str, str | None] | None = None, branch: str = "feature"
) -> PullRequest:
    commit(repo, files or {"apps/one/values.yaml": "replicas: 1\n"}, branch)
    return repo.create_pull(base="main", head=branch, title=f"Add {branch}", body="Body")
