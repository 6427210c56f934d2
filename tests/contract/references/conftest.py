"""Provide an installation whose exchanges with Port and GitHub are recorded."""

from collections.abc import Iterator

import pytest

from tests.faults.conftest import bare_repository, folder, github, github_folder, installation
from tests.port_server import PortServer
from tests.references.recorder import Exchange, recording

__all__ = ["bare_repository", "folder", "github", "github_folder", "installation"]


@pytest.fixture(scope="session")
def exchanges() -> Iterator[list[Exchange]]:
    """Record everything that this process exchanges with a server, in order."""
    with recording() as found:
        yield found


@pytest.fixture(scope="session")
def port(
    exchanges: list[Exchange], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PortServer]:
    """Run Port's server, and record the installation of its blueprints and actions."""
    with PortServer(tmp_path_factory.mktemp("port")) as server:
        yield server
