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
