"""Install Slipway in this process, and record the requests of its flows."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from moto import mock_aws

from sandbox.testing import OWN_ROUTES
from tests.contract.github.conftest import running as running_github
from tests.faults.installation import WORKFLOWS, Clock, Installation
from tests.faults.wire import Call, Wire
from tests.port_server import PortServer
from tests.scripted import ScriptedServer

REMOTE = ("GitHub", "Port")


@dataclass(frozen=True)
class Span:
    """A call with the times of its start and its answer, in seconds."""

    call: Call
    start: float
    end: float


class Stopwatch:
    """Records when each call of the product begins and ends."""

    def __init__(self, wire: Wire) -> None:
        self.spans: list[Span] = []
        pass_on = wire.pass_on

        def timed(call: Callable[[], Call], perform: Callable[[], Any], **more: Any) -> Any:
            if wire._process is None:
                return perform()
            made, start = call(), time.perf_counter()
            try:
                return pass_on(lambda: made, perform, **more)
            finally:
                self.spans.append(Span(made, start, time.perf_counter()))

        self._wire = wire
        wire.pass_on = timed  # type: ignore[method-assign]

    def stop(self) -> None:
        """Stop recording."""
        del self._wire.pass_on

    def during(self, act: Callable[[], object]) -> list[Span]:
        """Record the calls to GitHub and Port during an action, including those for tokens."""
        before = len(self.spans)
        act()
        return [span for span in self.spans[before:] if span.call.service in REMOTE]


def depth(spans: list[Span]) -> int:
    """Return the length of the longest chain of calls that do not overlap."""
    count, free = 0, float("-inf")
    for span in sorted(spans, key=lambda span: span.end):
        if span.start >= free:
            count, free = count + 1, span.end
    return count


@contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """Provide servers of Port and GitHub, moto's account, and an installation."""
    seed = folder / "seed"
    workflows = seed / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for name, text in WORKFLOWS.items():
        (workflows / name).write_text(text)
    (folder / "port").mkdir()
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        PortServer(folder / "port") as port,
        running_github(folder, seed) as github,
        ScriptedServer().running() as health,
    ):
        monkeypatch.setattr("moto.core.models.RESPONSES_METHODS", [])
        with mock_aws(), time_machine.travel(datetime.now(UTC), tick=True) as traveller:
            clock = Clock(monkeypatch, traveller)
            bare = folder / "state" / "repos" / "acme" / "services.git"
            yield Installation(monkeypatch, port, github, health, clock, bare)


def add_delay(installation: Installation, seconds: float) -> None:
    """Delay each answer of both servers' APIs."""
    fault = {"path": "^/(api|v1)/", "delay_seconds": seconds, "times": 1_000_000}
    _tell_both(installation, "POST", fault)


def remove_delay(installation: Installation) -> None:
    """Remove the delay of both servers."""
    _tell_both(installation, "DELETE")


def _tell_both(installation: Installation, method: str, body: object = None) -> None:
    for url in (installation.port.url, installation.github.url):
        faults = f"{url}/_sandbox/faults"
        answer = requests.request(method, faults, json=body, headers=OWN_ROUTES, timeout=60)
        answer.raise_for_status()
