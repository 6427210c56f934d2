"""Servers for the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.tests.port.harness import Port, Start


@pytest.fixture
def start(new_state: Path, tmp_path: Path) -> Iterator[Start]:
    starter = Start(tmp_path, new_state)
    yield starter
    starter.stop()


@pytest.fixture
def port(start: Start) -> Port:
    return start()


@pytest.fixture
def catalogue(filled_state: Path, tmp_path: Path) -> Iterator[Port]:
    """A server with the Service blueprint and its actions."""
    start = Start(tmp_path, filled_state)
    yield start()
    start.stop()


@pytest.fixture
def logged(filled_state: Path, tmp_path: Path) -> Iterator[Port]:
    """A server from before Port withdrew the change log, with a blueprint that asks for it."""
    start = Start(tmp_path, filled_state)
    port = start(change_log=True)
    port.call("PATCH", "/blueprints/service", {"changelogDestination": {"type": "KAFKA"}})
    yield port
    start.stop()
