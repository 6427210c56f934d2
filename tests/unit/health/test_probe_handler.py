"""The Lambda function that probes, on a real local server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from slipway.config import load

from functions.probe_health.handler import handler
from tests.unit.health.wire import Server, http, served

pytestmark = [
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
    pytest.mark.waits,
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(http(b'{"db": {"up": true}}', "203 Fine")) as server:
        allow(monkeypatch, server.port)
        yield server
    load.cache_clear()


def allow(monkeypatch: pytest.MonkeyPatch, port: int, *cidrs: str) -> None:
    # Terraform writes this value.
    limits = {
        "allowed_cidrs": cidrs or ["127.0.0.0/8"],
        "allowed_ports": [port],
        "deadline_seconds": 3,
    }
    monkeypatch.setenv("HEALTH_PROBE", json.dumps(limits))
    load.cache_clear()


def ask(port: int, **changes: Any) -> dict[str, Any]:
    """Make the event that the machine sends: see `RemediationSteps`."""
    context: Any = type(
        "Context",
        (),
        {
            "function_name": "probe_health",
            "memory_limit_in_mb": 128,
            "invoked_function_arn": "arn",
            "aws_request_id": "1",
        },
    )
    known = {
        "url": f"http://127.0.0.1:{port}/health",
        "status": None,
        "json_path": None,
        "json_value": "",
    }
    answer = handler(json.loads(json.dumps(known | changes)), context)
    return dict(json.loads(json.dumps(answer)))


def test_probe_handler_returns_healthy_when_the_service_answers(server: Server) -> None:
    assert ask(server.port) == {
        "state": "healthy",
        "kind": "ok",
        "sentence": "The health URL answered 203.",
        "url": f"http://127.0.0.1:{server.port}/health",
    }
    assert server.requests[0].startswith(b"GET /health HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("wanted", "state", "kind"),
    [
        ({"status": 203}, "healthy", "ok"),
        ({"status": 200}, "unhealthy", "status"),
        ({"json_path": "db.up", "json_value": "true"}, "healthy", "ok"),
        ({"json_path": "db.up", "json_value": "false"}, "unhealthy", "json"),
    ],
)
def test_probe_handler_compares_the_answer_with_the_expectation(
    server: Server, wanted: dict[str, Any], state: str, kind: str
) -> None:
    found = ask(server.port, **wanted)
    assert (found["state"], found["kind"]) == (state, kind)


def test_probe_handler_returns_unknown_for_a_refused_address(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, server.port, "10.0.0.0/8")

    found = ask(server.port)

    assert (found["state"], found["kind"]) == ("unknown", "refused_url")
    assert server.connections == 0
