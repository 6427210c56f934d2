"""Probes of a service and of a canary address, each a real local server."""

from collections.abc import Iterator

import pytest
from slipway.health.addresses import ProbeLimits
from slipway.health.canary import look_at
from slipway.health.finding import Expectation

from tests.unit.health.wire import Server, http, served

pytestmark = pytest.mark.waits

ANYWHERE = ["127.0.0.0/8"]


@pytest.fixture
def service() -> Iterator[Server]:
    with served(http(b"", "503 Service Unavailable")) as server:
        yield server


@pytest.fixture
def canary() -> Iterator[Server]:
    with served(http(b"", "404 Not Found")) as server:
        yield server


def found(url: str, canary: str | None, *ports: int) -> tuple[str, str]:
    """Return state and kind of the finding."""
    limits = ProbeLimits.model_validate(
        {
            "allowed_cidrs": ANYWHERE,
            "allowed_ports": ports,
            "canary_url": canary,
            "deadline_seconds": 10,
        }
    )

    def resolve(host: str, _port: int) -> list[str]:
        if host == "gone.test":
            raise OSError
        return ["127.0.0.1"]

    finding = look_at(url, Expectation(), limits, resolve=resolve)
    return finding.state, finding.kind


def test_service_is_unhealthy_when_the_canary_answers(canary: Server) -> None:
    url = f"http://canary.test:{canary.port}/"

    assert found("http://gone.test/", url, 80, canary.port) == ("unhealthy", "dns")
    assert canary.connections == 1


@pytest.mark.parametrize("url", ["http://gone.test/", "http://127.0.0.1:1/"])
def test_service_is_unknown_when_the_canary_is_not_reached(url: str) -> None:
    assert found(url, "http://gone.test/", 80, 1) == ("unknown", "own_network")


def test_service_is_unknown_when_the_canary_is_forbidden() -> None:
    assert found("http://gone.test/", "http://127.0.0.1:2/", 80) == ("unknown", "own_network")


def test_failure_makes_the_service_unhealthy_without_a_canary() -> None:
    assert found("http://gone.test/", None, 80) == ("unhealthy", "dns")


def test_canary_is_not_probed_when_the_service_answers(service: Server, canary: Server) -> None:
    url = f"http://service.test:{service.port}/"

    state = found(url, f"http://canary.test:{canary.port}/", service.port, canary.port)

    assert state == ("unhealthy", "status")
    assert canary.connections == 0
