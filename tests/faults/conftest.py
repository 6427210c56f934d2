"""Provide an installation for the fault tests: Port, GitHub, moto and its own clock."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from moto import mock_aws
from slipway.observability import logger

from tests.contract.github.conftest import GitHubServer
from tests.contract.github.conftest import running as running_github
from tests.faults.draw import choice
from tests.faults.installation import WORKFLOWS, Clock, Installation
from tests.port_server import PortServer
from tests.scripted import ScriptedServer


def pytest_report_header() -> str:
    return f"faults: FAULTS={choice()} repeats this draw, FAULTS=all plays all cases"


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with PortServer(tmp_path_factory.mktemp("port")) as server:
        yield server


@pytest.fixture(scope="session")
def github_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("github")


@pytest.fixture(scope="session")
def bare_repository(github_folder: Path) -> Path:
    """Return the path of the server's repository `acme/services`."""
    return github_folder / "state" / "repos" / "acme" / "services.git"


@pytest.fixture(scope="session")
def github(github_folder: Path) -> Iterator[GitHubServer]:
    folder = github_folder
    workflows = folder / "seed" / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for name, text in WORKFLOWS.items():
        (workflows / name).write_text(text)
    with running_github(folder, folder / "seed") as server:
        yield server


@pytest.fixture(scope="module")
def installation(
    port: PortServer, github: GitHubServer, bare_repository: Path
) -> Iterator[Installation]:
    level = logger.log_level
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Only botocore calls AWS; moto's patterns for `requests` would slow each HTTP call.
        monkeypatch.setattr("moto.core.models.RESPONSES_METHODS", [])
        with (
            ScriptedServer().running() as health,
            mock_aws(),
            time_machine.travel(datetime.now(UTC), tick=True) as traveller,
        ):
            clock = Clock(monkeypatch, traveller)
            installation = Installation(monkeypatch, port, github, health, clock, bare_repository)
            yield installation
            # Close the last process's connections, because no test does.
            installation.new_process()
            gc.collect()
    logger.setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
