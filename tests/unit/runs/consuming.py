"""A consumer of records: Port is a real HTTP server, AWS is moto."""

import base64
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.observability import logger
from slipway.port.signature import sign
from slipway.runs import clients, consumer
from slipway.runs.run import ActiveRun

from tests.scripted import Answer, ScriptedServer
from tests.unit.conftest import RUN_ID

SECRET = "0123456789abcdef0123456789abcdefEXTRA"
RUN = f"/v1/actions/runs/{RUN_ID}"
TOPIC = "org_test.runs"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"
NOW = int(time.time() * 1000)


def message(**changes: Any) -> dict[str, Any]:
    return {
        "action": "create_service",
        "resourceType": "run",
        "status": "TRIGGERED",
        "trigger": {
            "by": {"orgId": "org_test", "userId": "u1", "user": {"email": "dev@acme.example"}},
            "origin": "UI",
            "at": "2026-11-23T10:00:00.000Z",
        },
        "context": {"entity": None, "blueprint": "service", "runId": RUN_ID},
        "payload": {
            "entity": None,
            "action": {"invocationMethod": {"type": "KAFKA"}, "trigger": "CREATE"},
            "properties": {"service_name": "shop"},
            "censoredProperties": [],
        },
        **changes,
    }


def event(*values: object, timestamp: int = NOW) -> dict[str, Any]:
    """Make an event of a self-managed Kafka event source with one partition."""
    records = []
    for offset, value in enumerate(values):
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        records.append(
            {
                "topic": TOPIC,
                "partition": 0,
                "offset": offset,
                "timestamp": timestamp,
                "timestampType": "CREATE_TIME",
                "value": base64.b64encode(raw).decode(),
                "headers": [],
            }
        )
    return {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": "b:9092",
        "records": {f"{TOPIC}-0": records},
    }


@dataclass
class Scene:
    """Port, and the actions of the function."""

    port: ScriptedServer
    log: io.StringIO
    acted: list[ActiveRun] = field(default_factory=list)
    act: Callable[[ActiveRun], None] = lambda run: None

    def consume(self, what: dict[str, Any]) -> Any:
        context = SimpleNamespace(
            function_name="slipway-create_service",
            function_version="1",
            memory_limit_in_mb=128,
            invoked_function_arn=FUNCTION,
            aws_request_id="request-1",
            get_remaining_time_in_millis=lambda: 60_000,
        )

        def act(run: ActiveRun) -> None:
            self.acted.append(run)
            self.act(run)

        return consumer.consume(
            what, cast("LambdaContext", context), action="create_service", act=act
        )

    def logs(self) -> list[str]:
        return [body["message"] for body in self.port.bodies(f"POST {RUN}/logs")]

    def updates(self) -> list[dict[str, Any]]:
        return self.port.bodies(f"PATCH {RUN}")

    def writes(self) -> list[str]:
        routes = self.port.routes()
        return [r for r in routes if not r.startswith("GET") and "access_token" not in r]


@pytest.fixture
def scene(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    secrets = boto3.client("secretsmanager")
    credentials = json.dumps({"client_id": "id", "client_secret": SECRET})
    secrets.create_secret(Name=f"slipway/port/{time.monotonic_ns()}", SecretString=credentials)
    monkeypatch.setenv("PORT_SECRET_ID", secrets.list_secrets()["SecretList"][0]["Name"])
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    clients.port_client.cache_clear()
    with ScriptedServer().running() as port:
        monkeypatch.setenv("PORT_BASE_URL", port.url)
        token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
        port.script("POST /v1/auth/access_token", (200, token, {}))
        run = {"id": RUN_ID, "status": "IN_PROGRESS", "action": {"identifier": "create_service"}}
        port.script(f"GET {RUN}", (200, {"ok": True, "run": run}, {}))
        port.script(f"POST {RUN}/logs", (201, {"ok": True, "runLog": {}}, {}))
        port.script(f"PATCH {RUN}", (200, {"ok": True, "run": run}, {}))
        log = io.StringIO()
        handler = cast("logging.StreamHandler[io.StringIO]", logger.registered_handler)
        before = handler.setStream(log)
        yield Scene(port, log)
        handler.setStream(cast("io.StringIO", before))
    clients.port_client.cache_clear()


def set_run(scene: Scene, **changes: Any) -> None:
    run = {"id": RUN_ID, "status": "IN_PROGRESS", "action": {"identifier": "create_service"}}
    scene.port.script(f"GET {RUN}", (200, {"ok": True, "run": {**run, **changes}}, {}))


def row(table: str, **key: str) -> dict[str, Any] | None:
    return boto3.resource("dynamodb").Table(table).get_item(Key=key).get("Item")


UNKNOWN: Answer = (404, {"ok": False, "error": "not_found"}, {})
DONE: dict[str, list[object]] = {"batchItemFailures": []}


def signed(body: dict[str, Any], at_ms: int, secret: str = SECRET) -> dict[str, Any]:
    unsigned = {**body, "headers": {}}
    text = json.dumps(unsigned, separators=(",", ":"))
    timestamp = at_ms // 1000
    signature = sign(text, secret, timestamp)
    return {
        **body,
        "headers": {"X-Port-Signature": signature, "X-Port-Timestamp": str(timestamp)},
    }
