"""What Slipway installs, as people use it: `port/` on a server."""

from typing import Any

import pytest

from sandbox.tests.port.harness import ADMIN, DEVELOPER, DEVOPS, Port, definitions

REQUEST = "r_0123456789abcdef.1"
PENDING = {
    "identifier": REQUEST,
    "title": "Upscale shop",
    "properties": {
        "status": "Pending",
        "action": "upscale_service",
        "service": "shop",
        "environment": "Production",
        "requested_by": DEVELOPER,
        "approvers": [DEVOPS, "team devops"],
        "needed": 1,
        "change": "```diff\n-replicas: 2\n+replicas: 3\n```",
        "change_hash": "f" * 64,
        "run_url": "http://127.0.0.1:3100/organization/run?runId=r_0123456789abcdef",
        "service_url": "http://127.0.0.1:3100/serviceEntity?identifier=shop",
        "expires_at": "2026-11-24T10:00:00.000Z",
    },
}
CHANGES = ["create_service", "delete_service", "downscale_service", "upscale_service"]


@pytest.fixture
def installed(port: Port) -> Port:
    for route, definition in definitions():
        port.call("POST", route, definition, 201)
    shop = {"identifier": "shop", "title": "Shop", "properties": {"replicas": 2}}
    port.call("POST", "/blueprints/service/entities", shop, 201)
    port.call("POST", "/blueprints/approval_request/entities", PENDING, 201)
    return port


def decide(port: Port, person: str, **properties: Any) -> dict[str, Any]:
    body = {"properties": {"decision": "APPROVE", **properties}, "entity": REQUEST}
    run: dict[str, Any] = port.sign_in(person).call(
        "POST", "/actions/decide_approval/runs", body, 202
    )["run"]
    return run


@pytest.mark.parametrize("person", [DEVELOPER, DEVOPS, ADMIN])
def test_a_decision_says_who_decides_about_what(installed: Port, person: str) -> None:
    run = decide(installed, person, comment="Looks\ngood")

    user = installed.call("GET", f"/users/{person}")["user"]
    assert run["createdBy"] == user["id"]
    assert run["entity"]["identifier"] == REQUEST
    (message,) = installed.messages("runs")
    assert message["action"] == "decide_approval"
    assert message["context"] == {
        "entity": REQUEST,
        "blueprint": "approval_request",
        "runId": run["id"],
    }
    assert message["trigger"]["by"]["userId"] == user["id"]
    assert message["trigger"]["by"]["user"]["email"] == person
    assert message["payload"]["action"]["trigger"] == "DAY-2"
    assert message["payload"]["properties"] == {
        "decision": "APPROVE",
        "comment": "Looks\ngood",
        "change": "f" * 64,
    }
    assert message["payload"]["entity"]["properties"]["change_hash"] == "f" * 64


def test_a_person_decides_with_credentials_of_their_own(installed: Port) -> None:
    body = {"properties": {"decision": "DECLINE"}, "entity": REQUEST}
    devops = installed.sign_in(DEVOPS)
    run = devops.call("POST", "/actions/decide_approval/runs", body, 202)["run"]

    assert run["createdBy"] == installed.call("GET", f"/users/{DEVOPS}")["user"]["id"]
    (message,) = installed.messages("runs")
    assert message["trigger"]["by"]["user"]["email"] == DEVOPS


def test_decision_form_is_filled_in_with_the_change(installed: Port) -> None:
    body = {"properties": {}, "entity": REQUEST}
    form = installed.http.request(
        "POST", "/_sandbox/portal/forms/decide_approval", headers=installed.headers, json=body
    )

    assert form.json()["defaults"] == {"change": "f" * 64}


def test_decision_on_a_cut_diff_needs_its_code(installed: Port) -> None:
    path = f"/blueprints/approval_request/entities/{REQUEST}"
    installed.call("PATCH", path, {"properties": {"full_change": "+more\n\nCode: 0123456789"}})
    body = {"properties": {"decision": "APPROVE"}, "entity": REQUEST}

    status, _ = installed.sign_in(DEVOPS).refused("POST", "/actions/decide_approval/runs", body)

    assert status == 422
    run = decide(installed, DEVOPS, change="0123456789")
    assert run["properties"]["change"] == "0123456789"


@pytest.mark.parametrize(
    ("properties", "entity"),
    [
        ({}, REQUEST),
        ({"decision": "approve"}, REQUEST),
        ({"decision": "APPROVE", "comment": "x" * 1001}, REQUEST),
        ({"decision": "APPROVE"}, None),
    ],
)
def test_a_decision_that_is_none_is_refused_by_the_form(
    installed: Port, properties: dict[str, Any], entity: str | None
) -> None:
    body = {"properties": properties} | ({"entity": entity} if entity else {})
    status, _ = installed.sign_in(DEVOPS).refused("POST", "/actions/decide_approval/runs", body)
    assert status == 422
    assert installed.messages("runs") == []


def test_a_decision_about_no_request_is_refused(installed: Port) -> None:
    body = {"properties": {"decision": "APPROVE"}, "entity": "r_0123456789abcdef.2"}
    path = "/actions/decide_approval/runs"
    assert installed.sign_in(DEVOPS).refused("POST", path, body) == (404, "not_found")


def test_service_can_be_deleted_while_its_request_remains(installed: Port) -> None:
    installed.call("DELETE", "/blueprints/service/entities/shop", delete_dependents="false")
    path = f"/blueprints/approval_request/entities/{REQUEST}"
    assert installed.call("GET", path)["entity"]["properties"]["service"] == "shop"


@pytest.mark.parametrize("typed", [{}, {"dry_run": True}])
def test_a_dry_run_is_asked_for_by_a_tick(installed: Port, typed: dict[str, bool]) -> None:
    body = {"properties": typed, "entity": "shop"}
    installed.sign_in(DEVELOPER).call("POST", "/actions/upscale_service/runs", body, 202)

    (message,) = installed.messages("runs")
    expected = {"step": 1, "dry_run": False} | typed
    assert message["payload"]["properties"] == expected
    assert message["payload"]["entity"]["identifier"] == "shop"


def start(port: Port, action: str) -> dict[str, Any]:
    if action == "create_service":
        typed = {
            "service_name": "new",
            "owner": DEVELOPER,
            "team": "payments",
            "project": "shop",
            "environment": "Test",
            "service_type": "backend",
            "replicas": 1,
            "image_tag": "1",
            "values_format": "YAML",
        }
        body: dict[str, Any] = {"properties": typed}
    else:
        inputs = {"service_name": "shop"} if action == "delete_service" else {}
        body = {"properties": inputs, "entity": "shop"}
    run: dict[str, Any] = port.sign_in(DEVELOPER).call(
        "POST", f"/actions/{action}/runs", body, 202
    )["run"]
    return run


def notices(port: Port) -> list[Any]:
    return [m for m in port.messages("runs") if m["action"] == "run_ended"]


@pytest.mark.parametrize("action", CHANGES)
def test_the_requester_ends_a_run_and_slipway_is_told(installed: Port, action: str) -> None:
    run = start(installed, action)
    developer = installed.sign_in(DEVELOPER)
    developer.call("PATCH", f"/actions/runs/{run['id']}", {"status": "FAILURE"})

    (own,) = installed.call("GET", "/actions/runs", action=f"{action}_ended")["runs"]
    context = {"runId": run["id"], "automationRunId": own["id"]}
    assert notices(installed) == [
        {"action": "run_ended", "resourceType": "run", "context": context}
    ]


@pytest.mark.parametrize(
    "change",
    [{"status": "SUCCESS"}, {"statusLabel": "Waiting"}, {"link": ["http://x"]}, {"summary": "s"}],
)
def test_of_other_changes_slipway_is_not_told(installed: Port, change: dict[str, Any]) -> None:
    run = start(installed, "upscale_service")
    installed.call("PATCH", f"/actions/runs/{run['id']}", change)
    assert notices(installed) == []


def test_the_end_of_a_decision_or_of_an_automation_tells_nobody(installed: Port) -> None:
    run = start(installed, "upscale_service")
    installed.call("PATCH", f"/actions/runs/{run['id']}", {"status": "FAILURE"})
    (own,) = installed.call("GET", "/actions/runs", action="upscale_service_ended")["runs"]
    decision = decide(installed, DEVOPS)
    for run_id in (own["id"], decision["id"]):
        installed.call("PATCH", f"/actions/runs/{run_id}", {"status": "FAILURE"})

    assert len(notices(installed)) == 1


def test_a_run_of_somebody_else_is_not_ended(installed: Port) -> None:
    run = start(installed, "upscale_service")
    path = f"/actions/runs/{run['id']}"
    answer = installed.sign_in(DEVOPS).refused("PATCH", path, {"status": "FAILURE"})
    assert answer == (403, "missing_permissions")
