"""The sandbox's Port as a process, with what `scripts/port_setup` installs. It has no broker."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from slipway.config import PortCredentials
from slipway.port.client import PortClient

from scripts import port_setup

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / "sandbox" / ".venv" / "bin" / "python"
CREDENTIALS = {"client_id": "client", "client_secret": "0123456789abcdef0123456789abcdefEXTRA"}
STARTED_WITHIN = 60


class PortServer:
    """A Port organisation, and clients of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = self.sign_in(**CREDENTIALS)

    def sign_in(self, client_id: str, client_secret: str = "sandbox") -> PortClient:
        """A client as the organisation, or as a person by the address."""
        credentials = PortCredentials.model_validate(
            {"client_id": client_id, "client_secret": client_secret}
        )
        return PortClient(self.url, lambda _: credentials)

    def execute(self, action: str, inputs: dict[str, Any], entity: str, person: str) -> str:
        """Execute an action as a person; returns the run's id."""
        answer = self.client.request(
            "POST",
            f"/v1/actions/{action}/runs",
            params={"run_as": person},
            json={"properties": inputs, "entity": entity},
        )
        return str(answer["run"]["id"])

    def message(self, run_id: str) -> Any:
        """What is published for a run, as a consumer reads it."""
        params = {"topic": "org_sandbox.runs", "run_id": run_id}
        answer = requests.get(f"{self.url}/_sandbox/messages", params=params, timeout=5)
        (message,) = answer.json()["messages"]
        return json.loads(message["value"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    """An organisation with everything installed, and a service `shop`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("port")
    # Nobody listens at port 9: the messages stay in the outbox.
    options = ["--port", str(port), "--state-dir", str(folder), "--kafka", "127.0.0.1:9"]
    secrets = {f"PORT_{name.upper()}": value for name, value in CREDENTIALS.items()}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, "-m", "sandbox.port", *options],
            cwd=ROOT,
            env={**os.environ, **secrets},
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, f"{url}/_sandbox/health", folder / "log")
        organisation = PortServer(url)
        for kind, ours in port_setup.load_definitions():
            (step,) = port_setup.plan(organisation.client, [(kind, ours)])
            port_setup.apply(organisation.client, step)
        shop = {"identifier": "shop", "title": "Shop", "properties": {"replicas": 2}}
        organisation.client.create_entity("service", shop)
        yield organisation
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        with suppress(requests.ConnectionError):
            if requests.get(url, timeout=5).ok:
                return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)  # between two looks at a condition that has a limit
