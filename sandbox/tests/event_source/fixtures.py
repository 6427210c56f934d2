"""A real broker for the whole session."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandbox.broker import wait_until_ready
from sandbox.ports import free_port
from sandbox.tests.event_source.harness import Topic
from sandbox.tests.waiting import LIMIT


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The bootstrap servers of a broker that was started as the sandbox starts it."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "sandbox.broker", "--port", str(port)])
    try:
        wait_until_ready(f"127.0.0.1:{port}", LIMIT)
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT)


@pytest.fixture
def topic(broker: str) -> Topic:
    return Topic(broker)
