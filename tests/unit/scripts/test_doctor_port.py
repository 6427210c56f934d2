"""Check Port with a server that answers like the real one."""

from typing import Any

import pytest

from scripts import doctor
from scripts.checks import port
from scripts.checks.result import Installation
from scripts.port_definitions import load_definitions
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.waits

TOKEN = "POST /v1/auth/access_token"
ENTITIES = [f"POST /v1/blueprints/{name}/entities" for name in ("bucket", "service")]


def refusal(status: int, code: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    return status, {"ok": False, "error": code, "message": code}, {}


def test_right_credentials_are_not_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    server.script("GET /v1/organization", (200, {"ok": True, "organization": {"id": "org_1"}}, {}))

    assert port.sign_in(installation).ok


def test_wrong_credentials_are_a_fault(server: ScriptedServer, installation: Installation) -> None:
    server.script(TOKEN, refusal(401, "invalid_credentials"))

    result = port.sign_in(installation)

    assert result.ok is False
    assert "PORT_CLIENT_SECRET" in result.cure
    assert "a-long-secret" not in result.detail


@pytest.mark.parametrize("status", [200, 404])
def test_wrong_base_url_is_named(
    server: ScriptedServer, installation: Installation, status: int
) -> None:
    server.script(TOKEN, (status, b"<!doctype html>", {"Content-Type": "text/html"}))

    (result,) = doctor.examine(installation, [("Port: credentials", port.sign_in)])

    assert result.ok is False
    assert "PORT_BASE_URL" in result.cure


def test_credentials_of_another_organisation_are_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    server.script("GET /v1/organization", (200, {"ok": True, "organization": {"id": "org_2"}}, {}))

    result = port.sign_in(installation)

    assert result.ok is False
    assert "org_2" in result.cure


def test_role_check_stores_nothing(server: ScriptedServer, installation: Installation) -> None:
    for route in ENTITIES:
        server.script(route, (200, {"ok": True}, {}))

    assert [result.ok for result in port.role(installation)] == [True, True]
    asked = [request for request in server.requests if request.route in ENTITIES]
    assert [request.route for request in asked] == ENTITIES
    assert all("validation_only=true" in request.query for request in asked)


@pytest.mark.parametrize(
    ("answer", "cure"),
    [
        (refusal(403, "missing_permissions"), "role"),
        (refusal(404, "not_found"), "Install the blueprint: scripts/port_setup --apply"),
        (refusal(404, "not_resolvable"), "Compare the blueprint with the catalog's"),
        (refusal(422, "blueprint_schema_mismatch"), "scripts/port_setup"),
    ],
)
def test_insufficient_role_is_a_fault(
    server: ScriptedServer, installation: Installation, answer: Any, cure: str
) -> None:
    server.script(ENTITIES[0], (200, {"ok": True}, {}))
    server.script(ENTITIES[1], answer)

    bucket, service = port.role(installation)

    assert (bucket.ok, service.ok) == (True, False)
    assert cure in service.cure


def test_installed_definitions_are_not_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    for kind, body in load_definitions():
        path = f"GET /v1/{kind}s/{body['identifier']}"
        server.script(path, (200, {"ok": True, kind: {**body, "createdAt": "then"}}, {}))

    assert port.definitions(installation).ok


def test_missing_and_outdated_definitions_are_named(
    server: ScriptedServer, installation: Installation
) -> None:
    for kind, body in load_definitions():
        path = f"GET /v1/{kind}s/{body['identifier']}"
        server.script(path, (200, {"ok": True, kind: {**body, "title": "Old"}}, {}))
    server.script("GET /v1/actions/create_service", refusal(404, "not_found"))

    result = port.definitions(installation)

    assert result.ok is False
    assert "action create_service is missing" in result.detail
    assert "blueprint service is out of date" in result.detail


RECORD = "GET /v1/blueprints/slipway_setup/entities/installed"
SWEEP = "GET /2015-03-31/functions/slipway-sweep_runs/configuration"


@pytest.mark.parametrize(
    ("recorded", "ok"),
    [("111122223333/eu-west-1/slipway", True), ("111122223333/eu-west-1/other", False), ("", None)],
)
def test_second_consumer_of_the_actions_is_a_fault(
    server: ScriptedServer, installation: Installation, recorded: str, ok: bool | None
) -> None:
    entity = {
        "identifier": "installed",
        "blueprint": "slipway_setup",
        "properties": {"definitions": {}, "installation": recorded},
    }
    server.script(RECORD, (200, {"ok": True, "entity": entity}, {}))
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:slipway-sweep_runs"
    server.script(SWEEP, (200, {"FunctionArn": arn}, {}))

    result = port.consumers(installation)

    assert result.ok is ok
    assert ("identifier_prefix" in result.cure) is (ok is not None)
