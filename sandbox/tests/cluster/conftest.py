"""The real GitHub server, the real Port in this process, and a cluster between them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from github.Repository import Repository

from sandbox.cluster.app import create_app
from sandbox.cluster.cluster import Cluster
from sandbox.cluster.port import Reporter
from sandbox.cluster.repository import Mirror
from sandbox.tests.github.harness import TOKEN, Live
from sandbox.tests.port.harness import CLIENT_ID, CLIENT_SECRET, Http, Port, Start
from sandbox.tests.waiting import MovedClock

STARTUP_SECONDS = 2.0
_TEXT = {"type": "string"}
BLUEPRINT = {
    "identifier": "service",
    "title": "Service",
    "schema": {"properties": {"health_status": _TEXT, "sync_status": _TEXT}, "required": []},
    "relations": {},
}


class _PortTransport(httpx.BaseTransport):
    def __init__(self, port: Port) -> None:
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._port.http.request(
            request.method, request.url.path, content=request.read(), headers=request.headers
        )
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


@dataclass
class World:
    """Everything that a test of the cluster touches."""

    repo: Repository
    port: Port
    cluster: Cluster
    http: Http
    clock: MovedClock

    def get(self, path: str) -> httpx.Response:
        return self.http.request("GET", path)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.request("POST", path, json=body)

    def entity(self, name: str) -> dict[str, Any]:
        path = f"/blueprints/service/entities/{name}"
        properties: dict[str, Any] = self.port.call("GET", path)["entity"]["properties"]
        return properties

    def add_entity(self, name: str) -> None:
        body = {"identifier": name, "properties": {"sync_status": "OutOfSync"}}
        self.port.call("POST", "/blueprints/service/entities", body, 201)

    def health(self, name: str) -> tuple[int, str]:
        answer = self.get(f"/services/{name}/health")
        return answer.status_code, answer.json().get("status", "")


@pytest.fixture
def world(live: Live, repo: Repository, new_state: Path, tmp_path: Path) -> Iterator[World]:
    start = Start(tmp_path / "port", new_state)
    port = start()
    port.call("POST", "/blueprints", BLUEPRINT, 201)
    mirror = Mirror(tmp_path / "mirror.git", f"{live.url}/{repo.full_name}", TOKEN, "main")
    with (
        httpx.Client(transport=_PortTransport(port), base_url="http://port") as client,
        ExitStack() as stack,
    ):
        clock = MovedClock()
        reporter = Reporter(client, CLIENT_ID, CLIENT_SECRET)
        cluster = Cluster(mirror, reporter, STARTUP_SECONDS, clock)
        yield World(repo, port, cluster, Http(create_app(cluster), stack), clock)
    mirror.close()
    start.stop()
