"""Which actions are offered, and their forms."""

from typing import Any

import pytest

from sandbox.tests.port.harness import CREATE_SERVICE, Port, add_service

Json = dict[str, Any]


def _offered(port: Port, **query: str) -> dict[str, str | None]:
    answer = port.http.request(
        "GET", "/_sandbox/portal/actions", headers=port.headers, params=query
    )
    assert answer.status_code == 200, answer.text
    return {one["identifier"]: one["refusal"] for one in answer.json()["actions"]}


def _form(port: Port, action: str, properties: Json, entity: str | None = None) -> Json:
    body = {"properties": properties, "entity": entity}
    path = f"/_sandbox/portal/forms/{action}"
    answer = port.http.request("POST", path, headers=port.headers, json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def _action(port: Port, properties: Json, **inputs: Any) -> None:
    trigger = {**CREATE_SERVICE["trigger"], "userInputs": {"properties": properties, **inputs}}
    body = {**CREATE_SERVICE, "identifier": "form", "trigger": trigger}
    port.call("POST", "/actions", body, 201)


def test_all_self_service_actions_are_offered(port: Port) -> None:
    assert _offered(port) == {"create_service": None, "upscale_service": None}


def test_an_entity_is_offered_what_is_for_entities(port: Port) -> None:
    add_service(port, "a")

    assert _offered(port, blueprint="service", entity="a") == {"upscale_service": None}


def test_an_entity_that_does_not_meet_the_condition_is_told_so(port: Port) -> None:
    add_service(port, "large", replicas=10)

    refusal = _offered(port, blueprint="service", entity="large")["upscale_service"]

    assert refusal is not None
    assert "condition" in refusal


def test_whoever_may_not_execute_is_told_so(port: Port) -> None:
    rules = {"execute": {"roles": ["Admin"]}}
    port.call("PATCH", "/actions/create_service/permissions", rules)

    assert _offered(port.sign_in("admin@acme.example"))["create_service"] is None
    assert "may not execute" in (
        _offered(port.sign_in("developer@acme.example"))["create_service"] or ""
    )


def test_action_is_refused_before_an_entity_is_chosen(port: Port) -> None:
    rules = {"execute": {"roles": ["Admin"]}}
    port.call("PATCH", "/actions/upscale_service/permissions", rules)
    developer = port.sign_in("developer@acme.example")

    assert "may not execute" in (_offered(developer)["upscale_service"] or "")


def test_action_is_offered_when_the_entity_decides(port: Port) -> None:
    rules = {"execute": {"roles": ["Admin"], "ownedByTeam": True}}
    port.call("PATCH", "/actions/upscale_service/permissions", rules)
    developer = port.sign_in("developer@acme.example")

    assert _offered(developer)["upscale_service"] is None


def test_a_form_answers_queries_with_what_is_filled_in(port: Port) -> None:
    query = {"jqQuery": '.form.format == "YAML"'}
    _action(
        port,
        {
            "format": {"type": "string", "enum": ["JSON", "YAML"], "default": "YAML"},
            "text": {"type": "string", "visible": query},
            "who": {"type": "string", "default": {"jqQuery": ".user.email"}},
            "kind": {"type": "string", "enum": {"jqQuery": '[.form.format, "x"]'}},
        },
        required={"jqQuery": '["text"]'},
    )
    developer = port.sign_in("developer@acme.example")

    form = _form(developer, "form", {})
    other = _form(developer, "form", {"format": "JSON"})

    assert form["defaults"] == {"format": "YAML", "who": "developer@acme.example"}
    assert form["userInputs"]["properties"]["text"]["visible"] is True
    assert form["userInputs"]["required"] == ["text"]
    assert other["defaults"] == {"who": "developer@acme.example"}
    assert other["userInputs"]["properties"]["text"]["visible"] is False
    assert other["userInputs"]["properties"]["kind"]["enum"] == ["JSON", "x"]


def test_a_query_that_fails_is_named_and_the_form_is_there(port: Port) -> None:
    _action(port, {"text": {"type": "string", "default": {"jqQuery": ".form | tonumber"}}})

    form = _form(port, "form", {})

    assert form["userInputs"]["properties"]["text"]["default"] is None
    assert "tonumber" in form["faults"][0]


def test_a_form_sees_its_entity(port: Port) -> None:
    add_service(port, "a", replicas=10)

    assert _form(port, "upscale_service", {}, "a")["refusal"] is not None


@pytest.mark.parametrize(("path", "body"), [("forms/none", {"properties": {}}), ("views/none", {})])
def test_what_is_wrong_is_refused(port: Port, path: str, body: Json) -> None:
    answer = port.http.request("POST", f"/_sandbox/portal/{path}", headers=port.headers, json=body)

    assert answer.status_code in (404, 422)
    assert answer.json()["ok"] is False
