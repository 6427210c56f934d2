"""Port as a scripted HTTP server, and clients of it that do not wait."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from slipway.config import PortCredentials
from slipway.port.client import PortClient

from tests.scripted import ScriptedServer

TOKEN = "POST /v1/auth/access_token"
RUN_PATH = "/v1/actions/runs/r_1"
RUN = {"id": "r_1", "status": "IN_PROGRESS", "action": {"identifier": "create_service"}}
SECRET = "the-client-secret-of-more-than-32-bytes"


class UnhurriedSession(requests.Session):
    """Give each request a minute, however small the client's retry budget is."""

    def request(self, *args: Any, **more: Any) -> requests.Response:
        return super().request(*args, **{**more, "timeout": 60})


class Port(ScriptedServer):
    """A Port with one run, and the client's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.fresh: list[bool] = []
        self.jitter = 0.0
        self.issue("token-1")
        self.script(f"GET {RUN_PATH}", (200, {"ok": True, "run": RUN}, {}))

    def issue(self, *tokens: str, lifetime: float = 10_800) -> None:
        answers = [{"ok": True, "accessToken": token, "expiresIn": lifetime} for token in tokens]
        self.script(TOKEN, *((200, answer, {}) for answer in answers))

    def client(self, retry_budget: float = 20.0) -> PortClient:
        def credentials(fresh: bool) -> PortCredentials:
            self.fresh.append(fresh)
            return PortCredentials.model_validate({"client_id": "id", "client_secret": SECRET})

        return PortClient(
            self.url,
            credentials,
            retry_budget=retry_budget,
            session=UnhurriedSession(),
            sleep=self.slept.append,
            jitter=lambda: self.jitter,
        )

    def sent_tokens(self) -> list[str | None]:
        return [r.headers.get("Authorization") for r in self.requests if r.route != TOKEN]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    with Port().running() as server:
        # The client's time passes only while it waits, on any machine.
        clock = SimpleNamespace(monotonic=lambda: sum(server.slept))
        for module in ("client", "transport"):
            monkeypatch.setattr(f"slipway.port.{module}.time", clock)
        yield server


def refusal(code: str, message: str = "No.") -> dict[str, Any]:
    return {"ok": False, "error": code, "message": message}
