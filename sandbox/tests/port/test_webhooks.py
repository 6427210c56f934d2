"""WEBHOOK invocations of actions and automations: signed requests, sent once."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.port.store import OutboxMessage
from sandbox.tests.port.harness import CLIENT_SECRET, CREATE_SERVICE, Port, add_service, execute

BODY = CREATE_SERVICE["invocationMethod"]["payload"]


class Backend(ThreadingHTTPServer):
    """Keeps what it is sent, and answers with one status."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.status = 202
        self.received: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Backend

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.command, headers, body))
        self.send_response(self.server.status)
        self.end_headers()

    do_POST = do_PUT = _take

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's name
        pass


@pytest.fixture
def backend() -> Iterator[Backend]:
    server = Backend()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def invoke_by(port: Port, **method: Any) -> None:
    """Have *Create New Service* invoked by a webhook."""
    definition = {"type": "WEBHOOK", "body": BODY, **method}
    port.call("PUT", "/actions/create_service", {**CREATE_SERVICE, "invocationMethod": definition})


def drain(port: Port) -> None:
    port.http.app.state.services.outbox.drain()


def test_run_is_sent_once_with_its_signature(catalogue: Port, backend: Backend) -> None:
    invoke_by(catalogue, url=backend.url)

    run = execute(catalogue)
    drain(catalogue)

    ((method, headers, body),) = backend.received
    assert method == "POST"
    assert json.loads(body)["context"]["runId"] == run["id"]
    signed = f"{headers['x-port-timestamp']}.".encode() + body
    digest = hmac.new(CLIENT_SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["x-port-signature"] == "v1," + base64.b64encode(digest).decode()
    assert abs(time.time() - int(headers["x-port-timestamp"])) < 600


def test_body_is_what_javascript_writes(catalogue: Port, backend: Backend) -> None:
    invoke_by(catalogue, url=backend.url, body={"a": 0.0000001, "b": "café"})

    execute(catalogue)
    drain(catalogue)

    assert backend.received[0][2] == '{"a":1e-7,"b":"café"}'.encode()


def test_method_and_headers_are_those_of_the_definition(catalogue: Port, backend: Backend) -> None:
    invoke_by(catalogue, url=backend.url, method="PUT", headers={"X-Run": "{{ .run.id }}"})

    run = execute(catalogue)
    drain(catalogue)

    method, headers, _ = backend.received[0]
    assert (method, headers["x-run"]) == ("PUT", run["id"])


def test_run_goes_on_after_its_request_was_taken(catalogue: Port, backend: Backend) -> None:
    invoke_by(catalogue, url=backend.url)

    run = execute(catalogue)
    drain(catalogue)

    assert catalogue.call("GET", f"/actions/runs/{run['id']}")["run"]["status"] == "IN_PROGRESS"


@pytest.mark.parametrize("status", [401, 413, 429, 503])
def test_request_that_is_refused_is_not_repeated(
    catalogue: Port, backend: Backend, status: int
) -> None:
    backend.status = status
    invoke_by(catalogue, url=backend.url)

    run = execute(catalogue)
    for _ in range(2):
        drain(catalogue)

    assert len(backend.received) == 1
    assert catalogue.call("GET", f"/actions/runs/{run['id']}")["run"]["status"] == "IN_PROGRESS"
    with catalogue.http.app.state.services.store.transaction() as db:
        (message,) = db.query(OutboxMessage).all()
    assert f"answered {status}" in message.error


def test_backend_that_is_away_stands_in_nobodys_way(catalogue: Port, backend: Backend) -> None:
    invoke_by(catalogue, url="http://127.0.0.1:9/unused")
    execute(catalogue)
    invoke_by(catalogue, url=backend.url)
    execute(catalogue)

    drain(catalogue)

    assert len(backend.received) == 1


def test_nothing_is_sent_beyond_this_machine(catalogue: Port) -> None:
    invoke_by(catalogue, url="https://hook.example.com")

    execute(catalogue)
    drain(catalogue)

    with catalogue.http.app.state.services.store.transaction() as db:
        (message,) = db.query(OutboxMessage).all()
    assert message.error == "The sandbox sends nothing to hook.example.com."


def test_automation_is_sent_by_webhook(catalogue: Port, backend: Backend) -> None:
    event = {"type": "ANY_ENTITY_CHANGE", "blueprintIdentifier": "service"}
    automation = {
        "identifier": "changes",
        "trigger": {"type": "automation", "event": event},
        "invocationMethod": {
            "type": "WEBHOOK",
            "url": backend.url,
            "body": {"entity": "{{ .event.context.entityIdentifier }}", "run": "{{ .run.id }}"},
        },
        "publish": True,
    }
    catalogue.call("POST", "/actions", automation, 201)

    add_service(catalogue, "shop")
    drain(catalogue)

    ((_, _, body),) = backend.received
    assert json.loads(body)["entity"] == "shop"


@pytest.mark.parametrize("wrong", [{"agent": True}, {"synchronized": True}, {"method": "GET"}])
def test_other_webhooks_are_refused(catalogue: Port, wrong: dict[str, Any]) -> None:
    method = {"type": "WEBHOOK", "url": "http://127.0.0.1:1", "body": {}, **wrong}
    body = {**CREATE_SERVICE, "identifier": "new", "invocationMethod": method}

    assert catalogue.refused("POST", "/actions", body) == (422, "invalid_request")
