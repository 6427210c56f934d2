"""Run the sandbox's GitHub as a process, with a services repository for each test."""

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from github import Auth, Github, InputGitAuthor, InputGitTreeElement
from github.Repository import Repository
from pydantic import SecretStr
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.github.merging import Merge
from slipway.github.models import Change, MergeMethod, Place
from slipway.github.repository import ServicesRepository

from sandbox.ports import free_port
from sandbox.testing import OWN_ROUTES
from tests.entities import service_files

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / "sandbox" / ".venv" / "bin" / "python"
TOKEN = "ghp_" + secrets.token_hex(18)
STARTED_WITHIN = 300
BRANCH = "slipway/upscale_service/r_1"


class GitHubServer:
    """A GitHub Enterprise Server with the organisation `acme`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.api = f"{url}/api/v3"

    def client(self, token: str = TOKEN, per_page: int = 30) -> Github:
        return Github(
            base_url=self.api,
            auth=Auth.Token(token),
            per_page=per_page,
            seconds_between_requests=None,
            seconds_between_writes=None,
            retry=None,
        )

    def token_of(self, login: str) -> str:
        return str(self.control("POST", "tokens", {"login": login})["token"])

    def fault(self, **fault: Any) -> None:
        """Inject a fault into the next requests that match; see `sandbox/faults.py`."""
        self.control("POST", "faults", fault)

    def faults_left(self) -> int:
        return len(self.control("GET", "faults")["pending"])

    def count(self) -> Callable[[], int]:
        """Forget the requests so far; return a function that counts later ones."""
        self.control("DELETE", "requests")
        return lambda: sum("/api/" in one["path"] for one in self.control("GET", "requests"))

    def control(self, method: str, what: str, body: Any = None) -> Any:
        url = f"{self.url}/_sandbox/{what}"
        answer = requests.request(method, url, json=body, headers=OWN_ROUTES, timeout=300)
        answer.raise_for_status()
        return answer.json() if answer.content else None


class Services:
    """A services repository, as Slipway, people and GitHub see it."""

    def __init__(self, server: GitHubServer) -> None:
        self.server = server
        organisation = server.client().get_organization("acme")
        self.github = organisation.create_repo("s" + secrets.token_hex(5), auto_init=True)
        self.slipway = self.signed_in()
        # Number of a pull request → its recorded commit.
        self.heads: dict[int, str] = {}

    def signed_in(
        self,
        retry_budget: float = 10,
        method: MergeMethod = "auto",
        credentials: GitHubCredentials | None = None,
    ) -> ServicesRepository:
        """Make Slipway's client of this repository, as a new invocation does."""
        config = GitHubConfig.model_validate(
            {
                "GITHUB_API_URL": self.server.api,
                "GITHUB_SECRET_ID": "slipway/github",
            }
        )
        given = credentials or GitHubCredentials(token=SecretStr(TOKEN))
        place = Place(name=self.github.full_name, merge_method=method)
        return ServicesRepository(config, place, lambda fresh: given, retry_budget=retry_budget)

    def propose(self, wanted: Change) -> int:
        """Propose as Slipway, and record the commit as a run's ledger row does."""
        pull = self.slipway.propose(wanted)
        self.heads[pull.number] = pull.head_sha
        return pull.number

    def merge(
        self, wanted: Change, number: int, slipway: ServicesRepository | None = None
    ) -> Merge:
        """Let Slipway merge its proposal."""
        return (slipway or self.slipway).merge(wanted, number, self.heads[number])

    def as_user(self, login: str) -> Repository:
        """Return the repository as a person with write access sees it."""
        self.github.add_to_collaborators(login, "push")
        return self.server.client(self.server.token_of(login)).get_repo(self.github.full_name)

    def push(self, files: dict[str, str | None], branch: str = "main") -> str:
        """Commit texts or removals to an existing branch; return the commit's SHA."""
        return self.push_elements(
            [
                InputGitTreeElement(path, "100644", "blob", sha=None)
                if text is None
                else InputGitTreeElement(path, "100644", "blob", content=text)
                for path, text in files.items()
            ],
            branch,
        )

    def push_elements(self, elements: list[InputGitTreeElement], branch: str = "main") -> str:
        reference = self.github.get_git_ref(f"heads/{branch}")
        parent = self.github.get_git_commit(reference.object.sha)
        tree = self.github.create_git_tree(elements, base_tree=parent.tree)
        author = InputGitAuthor("developer", "developer@acme.example", "2026-11-23T00:00:00Z")
        commit = self.github.create_git_commit("By hand", tree, [parent], author)
        reference.edit(commit.sha)
        return commit.sha

    def paths(self, revision: str = "main") -> list[str]:
        tree = self.github.get_git_tree(revision, recursive=True).tree
        return [item.path for item in tree if item.type != "tree"]

    def branches(self) -> list[str]:
        return [branch.name for branch in self.github.get_branches()]

    def allow(self, method: str) -> None:
        """Allow one merge method, as `rebase_merge`, and no other."""
        self.github.edit(
            allow_squash_merge=method == "squash_merge",
            allow_merge_commit=method == "merge_commit",
            allow_rebase_merge=method == "rebase_merge",
        )

    def protect(self) -> None:
        """Require one review for each merge, also from administrators."""
        self.github.get_branch("main").edit_protection(
            required_approving_review_count=1, enforce_admins=True
        )

    def require_check(self, contexts: Sequence[str] = ("ci",)) -> None:
        """Require a check and an up-to-date branch for each merge."""
        self.github.get_branch("main").edit_protection(
            strict=True, contexts=list(contexts), enforce_admins=True
        )

    def unprotect(self) -> None:
        self.github.get_branch("main").remove_protection()

    def pass_check(self, number: int) -> None:
        """Report success for the newest commit of a pull request."""
        head = self.github.get_pull(number).head.sha
        self.github.get_commit(head).create_status("success", context="ci")

    def approve(self, number: int) -> None:
        self.as_user("devops").get_pull(number).create_review(event="APPROVE")


def change(files: dict[str, str | None]) -> Change:
    """A change of the service `shop`."""
    return Change(
        entity=service_files("shop"),
        branch=BRANCH,
        title="Upscale shop to 3",
        body="Why",
        files=files,
    )


@contextmanager
def running(folder: Path, seed: Path) -> Iterator[GitHubServer]:
    """Run the server, with a repository `acme/services` that contains a folder's files."""
    port = free_port()
    options = ["--port", str(port), "--state-dir", str(folder / "state")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, "-m", "sandbox.github", *options, "--seed-repo", f"acme/services={seed}"],
            cwd=ROOT,
            env={**os.environ, "GITHUB_TOKEN": TOKEN},
            stderr=log,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/_sandbox/health", folder / "log")
        yield GitHubServer(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(STARTED_WITHIN)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubServer]:
    folder = tmp_path_factory.mktemp("github")
    seed = folder / "seed"
    seed.mkdir()
    with running(folder, seed) as github:
        yield github


@pytest.fixture
def services(server: GitHubServer) -> Iterator[Services]:
    yield Services(server)
    server.control("DELETE", "faults")


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        with suppress(requests.ConnectionError):
            if requests.get(url, headers=OWN_ROUTES, timeout=300).ok:
                return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)  # between two checks of a condition with a time limit
