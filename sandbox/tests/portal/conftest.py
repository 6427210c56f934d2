"""Servers for the tests: in this process, and one that really listens, for streams."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from sandbox.port.app import create_app
from sandbox.port.routes import pages
from sandbox.port.settings import Settings
from sandbox.tests.port.harness import (
    CREATE_SERVICE,
    SERVICE,
    Port,
    RecordingPublisher,
    Start,
    make_settings,
)
from sandbox.tests.waiting import LIMIT


@pytest.fixture
def port(filled_state: Path, tmp_path: Path) -> Iterator[Port]:
    """A server with the Service blueprint and its actions."""
    start = Start(tmp_path, filled_state)
    yield start()
    start.stop()


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pages that are built."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>the portal</title>")
    (folder / "icon.svg").write_text("<svg/>")
    (folder / "assets" / "main-1.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(pages, "DIST", folder)
    return folder


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a server that listens on a port of its own, signed in as the organisation."""
    settings = make_settings(tmp_path)
    app = create_app(settings, RecordingPublisher())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        app.state.is_stopping = lambda: server.should_exit
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        address, number = listener.getsockname()
        url = f"http://{address}:{number}"
        try:
            with httpx.Client(base_url=url, timeout=LIMIT, trust_env=False) as client:
                _fill(client, settings)
                yield client
        finally:
            server.should_exit = True
            thread.join()


def _fill(client: httpx.Client, settings: Settings) -> None:
    credentials = {"clientId": settings.client_id, "clientSecret": settings.client_secret}
    answer = client.post("/v1/auth/access_token", json=credentials)
    client.headers["authorization"] = f"Bearer {answer.json()['accessToken']}"
    client.post("/v1/blueprints", json=SERVICE).raise_for_status()
    client.post("/v1/actions", json=CREATE_SERVICE).raise_for_status()
