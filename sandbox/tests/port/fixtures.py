"""What a server of Port leaves on disk: copied for each test, as making it costs more than most."""

from pathlib import Path

import pytest

from sandbox.tests.port.harness import Start, fill


@pytest.fixture(scope="session")
def new_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a server that was started once."""
    folder = tmp_path_factory.mktemp("new")
    start = Start(folder)
    start()
    start.stop()
    return folder


@pytest.fixture(scope="session")
def filled_state(new_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a server with the Service blueprint and its actions."""
    folder = tmp_path_factory.mktemp("filled")
    start = Start(folder, new_state)
    fill(start())
    start.stop()
    return folder
