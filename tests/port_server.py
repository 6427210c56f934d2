"""Run the sandbox's Port as a process with the objects of `scripts/port_setup`, but no broker."""

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import requests
from slipway.config import PortCredentials
from slipway.port.client import PortClient

from sandbox.ports import free_port
from sandbox.testing import OWN_ROUTES
from scripts import port_definitions, port_setup

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / "sandbox" / ".venv" / "bin" / "python"
CREDENTIALS = {"client_id": "client", "client_secret": "0123456789abcdef0123456789abcdefEXTRA"}
STARTED_WITHIN = 300


class PortServer:
    """A Port organisation, and clients of it; it runs as long as the context does.

    Attributes:
        url: where it answers, also after it was started again.
        client: signs in as the organisation.
        database: the SQLite file of its data.
    """

    def __init__(self, folder: Path, module: str = "sandbox.port", *options: str) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.client = self.sign_in(**CREDENTIALS)
        self.database = folder / "port.sqlite"
        self._people: dict[str, PortClient] = {}
        self._folder = folder
        self._module = module
        self._options = options

    def __enter__(self) -> Self:
        self.start()
        try:
            for kind, ours in port_definitions.load_definitions():
                (step,) = port_setup.plan(self.client, [(kind, ours)])
                port_setup.apply(self.client, step)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process on its existing data."""
        # No broker listens at port 9, so the messages stay in the outbox.
        options = [
            "--port",
            str(self._port),
            "--state-dir",
            str(self._folder),
            "--kafka",
            "127.0.0.1:9",
            *self._options,
        ]
        secrets = {f"PORT_{name.upper()}": value for name, value in CREDENTIALS.items()}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", self._module, *options],
                cwd=ROOT,
                env={**os.environ, **secrets},
                stderr=log,
            )
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            with suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/_sandbox/health", headers=OWN_ROUTES, timeout=300).ok:
                    return
            log_text = (self._folder / "log").read_text()
            assert self._process.poll() is None, log_text
            assert time.monotonic() < deadline, log_text
            time.sleep(0.05)  # between two checks of a condition with a time limit

    def stop(self) -> None:
        """End the process; its data stays."""
        self._process.terminate()
        self._process.wait(STARTED_WITHIN)

    def person(self, email: str) -> PortClient:
        """Return a client with the person's own access token."""
        return self._people.setdefault(email, self.sign_in(email))

    def sign_in(self, client_id: str, client_secret: str = "sandbox") -> PortClient:
        """Return a client as the organisation, or as a person by address."""
        credentials = PortCredentials.model_validate(
            {"client_id": client_id, "client_secret": client_secret}
        )
        return PortClient(self.url, lambda _: credentials)

    def execute(self, action: str, inputs: dict[str, Any], entity: str | None, person: str) -> str:
        """Run an action as a person; return the run's id."""
        answer = self.person(person).request(
            "POST",
            f"/v1/actions/{action}/runs",
            json={"properties": inputs} | ({"entity": entity} if entity else {}),
        )
        return str(answer["run"]["id"])

    def message(self, run_id: str) -> Any:
        """Return the message for a run, as a consumer reads it."""
        return json.loads(self.text(run_id))

    def text(self, run_id: str) -> str:
        """Return the message for a run as text, as it is on the topic."""
        params = {"topic": "org_sandbox.runs", "run_id": run_id}
        url = f"{self.url}/_sandbox/messages"
        answer = requests.get(url, params=params, headers=OWN_ROUTES, timeout=300)
        (message,) = answer.json()["messages"]
        return str(message["value"])
