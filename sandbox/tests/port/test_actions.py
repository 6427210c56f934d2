from typing import Any

import pytest

from sandbox.tests.port.harness import CREATE_SERVICE, UPSCALE, Port

KAFKA = {"type": "KAFKA", "payload": {"runId": "{{ .run.id }}"}}
AUTOMATION: dict[str, Any] = {
    "identifier": "on_end",
    "trigger": {
        "type": "automation",
        "event": {"type": "RUN_UPDATED", "actionIdentifier": "create_service"},
    },
    "invocationMethod": KAFKA,
    "publish": True,
}


def test_an_action_is_answered_as_it_was_given(catalogue: Port) -> None:
    action = catalogue.call("GET", "/actions/create_service")["action"]
    assert {key: action[key] for key in CREATE_SERVICE} == CREATE_SERVICE
    assert action["id"].startswith("action_")
    assert action["requiredApproval"] is False


def test_a_second_action_of_the_name_is_refused(catalogue: Port) -> None:
    assert catalogue.refused("POST", "/actions", CREATE_SERVICE) == (409, "identifier_taken")


def test_put_replaces_an_action(catalogue: Port) -> None:
    changed = {**CREATE_SERVICE, "title": "New"}
    action = catalogue.call("PUT", "/actions/create_service", changed)["action"]
    assert action["title"] == "New"
    assert catalogue.refused("PUT", "/actions/none", {**changed, "identifier": "none"})[0] == 404


def test_a_removed_action_is_gone(catalogue: Port) -> None:
    catalogue.call("DELETE", "/actions/create_service")
    assert catalogue.refused("GET", "/actions/create_service") == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["create_service", "on_end", "upscale_service"]),
        ({"trigger_type": "automation"}, ["on_end"]),
        ({"operation": ["DAY-2", "DELETE"]}, ["upscale_service"]),
        ({"action_identifier": "create_service"}, ["create_service"]),
        ({"blueprint_identifier": "service"}, ["create_service", "upscale_service"]),
        ({"trigger_event": "RUN_UPDATED", "published": "true"}, ["on_end"]),
    ],
)
def test_the_list_can_be_filtered(
    catalogue: Port, query: dict[str, Any], expected: list[str]
) -> None:
    catalogue.call("POST", "/actions", AUTOMATION, 201)
    found = catalogue.call("GET", "/actions", **query)["actions"]
    assert [action["identifier"] for action in found] == expected


def trigger(**changes: Any) -> dict[str, Any]:
    return {"trigger": {**CREATE_SERVICE["trigger"], **changes}}


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": "a b"},
        {"unknown": 1},
        {"trigger": None},
        {"trigger": {"type": "manual"}},
        {"invocationMethod": None},
        {"invocationMethod": {"type": "KAFKA", "topic": "x"}},
        {"invocationMethod": {"type": "KAFKA", "payload": "text"}},
        {"requiredApproval": {"type": "SOME"}},
        trigger(operation="UPDATE"),
        trigger(operation="DAY-2", blueprintIdentifier=None),
        trigger(condition=UPSCALE["trigger"]["condition"]),
        trigger(actionCardButtonText="sixteen letters!"),
    ],
)
def test_a_wrong_action_is_refused(catalogue: Port, change: dict[str, Any]) -> None:
    body = {**CREATE_SERVICE, "identifier": "new", **change}
    assert catalogue.refused("POST", "/actions", body) == (422, "invalid_request")


def test_wrong_inputs_have_a_code_of_their_own(catalogue: Port) -> None:
    body = {**CREATE_SERVICE, "identifier": "new", **trigger(userInputs={"properties": {"a": 1}})}
    assert catalogue.refused("POST", "/actions", body) == (422, "user_inputs_schema_invalid")


def test_an_action_of_an_unknown_blueprint_is_refused(catalogue: Port) -> None:
    body = {**CREATE_SERVICE, "identifier": "new", **trigger(blueprintIdentifier="none")}
    assert catalogue.refused("POST", "/actions", body) == (404, "not_found")


@pytest.mark.parametrize("method", ["GITHUB", "GITLAB", "AZURE_DEVOPS"])
def test_what_the_sandbox_cannot_carry_out_is_refused_by_name(catalogue: Port, method: str) -> None:
    body = {**AUTOMATION, "invocationMethod": {"type": method, "url": "http://x.example"}}
    answer = catalogue.call("POST", "/actions", body, 422)
    assert method in answer["message"]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "RUN_UPDATED"},
        {"type": "ENTITY_CREATED", "actionIdentifier": "create_service"},
        {"type": "TIMER_PROPERTY_EXPIRED", "blueprintIdentifier": "service"},
    ],
)
def test_a_wrong_event_is_refused(catalogue: Port, event: dict[str, Any]) -> None:
    body = {**AUTOMATION, "trigger": {"type": "automation", "event": event}}
    assert catalogue.refused("POST", "/actions", body) == (422, "invalid_request")


def test_permissions_can_be_read_and_changed_in_part(catalogue: Port) -> None:
    path = "/actions/create_service/permissions"
    before = catalogue.call("GET", path)["permissions"]
    assert before["approve"] == {"users": [], "roles": ["Admin"], "teams": [], "policy": None}
    change = {"approve": {"teams": ["devops"]}}
    after = catalogue.call("PATCH", path, change)["permissions"]
    assert after["approve"]["teams"] == ["devops"]
    assert after["execute"] == before["execute"]
    assert catalogue.refused("PATCH", path, {"view": {}}) == (422, "invalid_request")
