"""Servers for the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.tests.port.harness import CREATE_SERVICE, SERVICE, UPSCALE, Port, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    starter = Start(tmp_path)
    yield starter
    starter.stop()


@pytest.fixture
def port(start: Start) -> Port:
    return start()


@pytest.fixture
def catalogue(port: Port) -> Port:
    """A server with the Service blueprint and its actions."""
    port.call("POST", "/blueprints", SERVICE, 201)
    port.call("POST", "/actions", CREATE_SERVICE, 201)
    port.call("POST", "/actions", UPSCALE, 201)
    return port
