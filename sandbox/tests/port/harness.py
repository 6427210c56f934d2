"""A server in this process, with a publisher that keeps what it is given."""

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI

from sandbox.port.app import create_app
from sandbox.port.outbox import PublishError
from sandbox.port.settings import Settings

ROOT = Path(__file__).parents[3]
DEVELOPER, DEVOPS, ADMIN = "developer@acme.example", "devops@acme.example", "admin@acme.example"
CLIENT_ID = "client-1"
CLIENT_SECRET = "0123456789abcdef0123456789abcdefEXTRA"
Json = dict[str, Any]


@dataclass
class RecordingPublisher:
    """Keeps messages as (topic, value); refuses them while `down`."""

    sent: list[tuple[str, bytes | None]] = field(default_factory=list)
    down: bool = False

    def publish(self, topic: str, value: bytes | None) -> None:
        if self.down:
            raise PublishError("down")
        self.sent.append((topic, value))


class Http:
    """Sends requests to an application in this process, while its lifespan lasts."""

    def __init__(self, app: FastAPI, stack: ExitStack) -> None:
        self.app = app
        self._portal = stack.enter_context(start_blocking_portal())
        lifespan = app.router.lifespan_context(app)
        stack.enter_context(self._portal.wrap_async_context_manager(lifespan))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://port")

    def request(self, method: str, path: str, **parts: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.request, method, path, **parts))


@dataclass
class Port:
    """A client of the server, signed in as the organisation."""

    http: Http
    publisher: RecordingPublisher
    settings: Settings
    headers: dict[str, str] = field(default_factory=dict)

    def sign_in(self, client_id: str, secret: str = "sandbox") -> "Port":
        """The same server, as another person."""
        body = {"clientId": client_id, "clientSecret": secret}
        answer = self.http.request("POST", "/v1/auth/access_token", json=body)
        assert answer.status_code == 200, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
        return Port(self.http, self.publisher, self.settings, headers)

    def call(
        self, method: str, path: str, body: Any = None, status: int = 200, **query: Any
    ) -> Json:
        """Send a request, check its status, and return the answer's JSON."""
        answer = self.http.request(
            method, f"/v1{path}", json=body, params=query, headers=self.headers
        )
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        found: Json = answer.json()
        assert found["ok"] is (status < 300)
        return found

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str]:
        """Send a request that is refused; return status and error code."""
        answer = self.http.request(
            method, f"/v1{path}", json=body, params=query, headers=self.headers
        )
        assert answer.status_code >= 400, answer.text
        assert answer.json().keys() == {"ok", "error", "message"}
        return answer.status_code, answer.json()["error"]

    def messages(self, topic: str) -> list[Any]:
        """What is in a topic by now."""
        self.http.app.state.services.outbox.drain()
        name = f"{self.settings.org_id}.{topic}"
        return [json.loads(value) for sent, value in self.publisher.sent if sent == name and value]


def make_settings(tmp_path: Path, **changes: Any) -> Settings:
    defaults = {"state_dir": tmp_path, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return Settings(**{**defaults, **changes})


class Start:
    """Starts servers on the same state."""

    def __init__(self, tmp_path: Path, begin_with: Path | None = None) -> None:
        self._tmp_path = tmp_path
        if begin_with:
            shutil.copytree(begin_with, tmp_path, dirs_exist_ok=True)
        self._running: list[ExitStack] = []

    def __call__(self, publisher: RecordingPublisher | None = None, **changes: Any) -> Port:
        settings = make_settings(self._tmp_path, **changes)
        publisher = publisher or RecordingPublisher()
        stack = ExitStack()
        self._running.append(stack)
        http = Http(create_app(settings, publisher), stack)
        return Port(http, publisher, settings).sign_in(CLIENT_ID, CLIENT_SECRET)

    def stop(self) -> None:
        while self._running:
            self._running.pop().close()


def fill(port: Port) -> None:
    """Make the Service blueprint and its actions."""
    port.call("POST", "/blueprints", SERVICE, 201)
    port.call("POST", "/actions", CREATE_SERVICE, 201)
    port.call("POST", "/actions", UPSCALE, 201)


SERVICE: Json = {
    "identifier": "service",
    "title": "Service",
    "icon": "Microservice",
    "schema": {
        "properties": {
            "owner": {"type": "string"},
            "environment": {
                "type": "string",
                "enum": ["Test", "Staging", "Production"],
                "enumColors": {"Test": "blue", "Staging": "yellow", "Production": "green"},
            },
            "replicas": {"type": "number", "minimum": 1, "default": 1},
            "health_url": {"type": "string", "format": "url"},
        },
        "required": ["owner"],
    },
    "relations": {},
}
CREATE_SERVICE: Json = {
    "identifier": "create_service",
    "title": "Create New Service",
    "trigger": {
        "type": "self-service",
        "operation": "CREATE",
        "blueprintIdentifier": "service",
        "userInputs": {
            "properties": {
                "service_name": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$"},
                "replicas": {"type": "number", "minimum": 1},
            },
            "required": ["service_name"],
            "order": ["service_name", "replicas"],
        },
    },
    "invocationMethod": {
        "type": "KAFKA",
        "payload": {
            "action": "{{ .action.identifier }}",
            "resourceType": "run",
            "status": "TRIGGERED",
            "trigger": "{{ .trigger | {by, origin, at} }}",
            "context": {
                "entity": "{{ .entity.identifier }}",
                "blueprint": "{{ .action.blueprint }}",
                "runId": "{{ .run.id }}",
            },
            "payload": {
                "entity": "{{ (if .entity == {} then null else .entity end) }}",
                "action": {
                    "invocationMethod": {"type": "KAFKA"},
                    "trigger": "{{ .trigger.operation }}",
                },
                "properties": {"{{ spreadValue() }}": "{{ .inputs }}"},
                "censoredProperties": "{{ .action.encryptedProperties }}",
            },
        },
    },
}
UPSCALE: Json = {
    "identifier": "upscale_service",
    "trigger": {
        "type": "self-service",
        "operation": "DAY-2",
        "blueprintIdentifier": "service",
        "userInputs": {"properties": {}},
        "condition": {
            "type": "SEARCH",
            "combinator": "and",
            "rules": [{"property": "replicas", "operator": "<", "value": 10}],
        },
    },
    "invocationMethod": CREATE_SERVICE["invocationMethod"],
}


def definitions() -> list[tuple[str, Json]]:
    """Objects that `scripts/port_setup` installs, each with its route, in a possible order."""
    files = {
        "/blueprints": ("catalog/*/blueprint.json", "port/blueprints/*.json"),
        "/actions": ("catalog/*/*/action.json", "port/actions/*.json"),
    }
    found = [
        (route, json.loads(file.read_text()))
        for route, patterns in files.items()
        for pattern in patterns
        for file in sorted(ROOT.glob(pattern))
    ]
    actions = sorted(file.parent.name for file in ROOT.glob("catalog/*/*/action.json"))
    return found + [("/actions", reports_end(action)) for action in actions]


def reports_end(action: str) -> Json:
    """An automation as the one that `scripts.port_definitions` makes for an action."""
    context = {"runId": "{{ .event.diff.after.id }}", "automationRunId": "{{ .run.id }}"}
    statuses = (("before", "IN_PROGRESS"), ("after", "FAILURE"))
    return {
        "identifier": f"{action}_ended",
        "trigger": {
            "type": "automation",
            "event": {"type": "RUN_UPDATED", "actionIdentifier": action},
            "condition": {
                "type": "JQ",
                "expressions": [f'.diff.{side}.status == "{status}"' for side, status in statuses],
                "combinator": "and",
            },
        },
        "invocationMethod": {
            "type": "KAFKA",
            "payload": {"action": "run_ended", "resourceType": "run", "context": context},
        },
        "publish": True,
    }


def add_service(port: Port, name: str, **properties: Any) -> Json:
    body = {"identifier": name, "properties": {"owner": "Dana", **properties}}
    entity: Json = port.call("POST", "/blueprints/service/entities", body, 201)["entity"]
    return entity


def execute(port: Port, action: str = "create_service", **query: Any) -> Json:
    body: Json = {"properties": {"service_name": "my-service", "replicas": 2}}
    run: Json = port.call("POST", f"/actions/{action}/runs", body, 202, **query)["run"]
    return run
