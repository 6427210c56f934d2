"""A real server process per session, and a repository of its own per test."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
from github.Repository import Repository

from sandbox.ports import free_port
from sandbox.tests.github.harness import ROOT, TOKEN, Live, healthy
from sandbox.tests.http import HTTP
from sandbox.tests.waiting import LIMIT, wait_for


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("github")
    seed = folder / "services"
    (seed / ".github" / "workflows").mkdir(parents=True)
    (seed / "README.md").write_text("# services\n")
    (seed / "apps").mkdir()
    (seed / "apps" / ".gitkeep").write_text("")
    port = free_port()
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sandbox.github",
                "--port",
                str(port),
                "--state-dir",
                str(folder / "state"),
                "--seed-repo",
                f"acme/services={seed}",
            ],
            cwd=ROOT,
            env={**os.environ, "GITHUB_TOKEN": TOKEN, "LEAKED_FROM_HOST": "yes"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    server = Live(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_for(lambda: process.poll() is not None or healthy(server), "health")
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(LIMIT)


@pytest.fixture
def repo(live: Live) -> Iterator[Repository]:
    """A fresh repository with a README on main; people and teams as in the seeded one."""
    client = live.client()
    name = "r" + secrets.token_hex(5)
    made = client.get_organization("acme").create_repo(name, auto_init=True)
    live.call("PUT", f"/repos/acme/{name}/collaborators/developer", json={"permission": "push"})
    live.call("PUT", f"/repos/acme/{name}/collaborators/devops", json={"permission": "push"})
    yield made
    HTTP.delete(f"{live.url}/_sandbox/faults")
