"""Messages on the topic of runs: which are ours, and what they ask for."""

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.errors import ForeignMessage, InvalidInput, RunNotFound
from slipway.port.message import identify, parse

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "port"


def load(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ["run_v1_create", "run_v2_create"])
def test_given_a_create_in_either_shape_when_read_then_it_is_the_same_request(name: str) -> None:
    value = load(name)

    assert identify(value) == "r_0123456789abcdef"
    message = parse(value)
    assert message.action == "create_service"
    assert message.operation == "CREATE"
    assert message.entity is None
    assert message.entity_snapshot is None
    assert message.requester.email == "dee@acme.example"
    assert message.requester.name == "Dee Veloper"
    assert message.requested_at.isoformat() == "2026-11-23T10:00:00.500000+00:00"
    assert message.inputs["service_name"] == "shop"
    assert message.inputs["domain"] == "payments"


@pytest.mark.parametrize("name", ["run_v1_day2", "run_v2_day2"])
def test_given_a_day_2_in_either_shape_when_read_then_it_has_its_entity(name: str) -> None:
    message = parse(load(name))

    assert (message.operation, message.entity) == ("DAY-2", "shop")
    assert message.entity_snapshot is not None
    assert message.entity_snapshot["properties"]["replicas"] == 2
    assert message.censored == ("password",)


def test_given_a_machine_as_requester_when_read_then_its_client_id_is_the_name() -> None:
    value = load("run_v2_create")
    del value["trigger"]["by"]["user"]

    requester = parse(value).requester

    assert requester.email == ""
    assert requester.user_id == "auth0|1"


@pytest.mark.parametrize(
    "name",
    [
        "change_log_update",
        "change_log_run",
        "timer",
        "agent_webhook",
        "workflow",
        "workflow_wrapped",
        "array",
    ],
)
def test_given_another_consumers_message_when_read_then_it_is_foreign(name: str) -> None:
    with pytest.raises(ForeignMessage):
        identify(load(name))


@pytest.mark.parametrize("run_id", [None, "", 5, "r_", "r_../x", "r_" + "a" * 65, "run", "R_1"])
def test_given_no_usable_run_id_when_read_then_there_is_no_run(run_id: object) -> None:
    with pytest.raises(RunNotFound):
        identify({**load("run_v2_create"), "context": {"runId": run_id}})


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("action",), None, "action"),
        (("action",), "a b", "action"),
        (("trigger", "at"), "yesterday", "trigger.at"),
        (("trigger", "at"), "2026-11-23T10:00:00", "trigger.at"),
        (("trigger", "by", "userId"), 5, "trigger.by.userId"),
        (("payload", "properties"), [], "payload.properties"),
        (("payload", "censoredProperties"), "x", "payload.censoredProperties"),
        (("payload", "action", "trigger"), "RUN", "payload.action.trigger"),
        (("context", "blueprint"), 1, "context.blueprint"),
    ],
)
def test_given_a_field_of_another_type_when_read_then_it_is_named(
    path: tuple[str, ...], value: object, field: str
) -> None:
    message = load("run_v2_create")
    place = message
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    with pytest.raises(InvalidInput) as caught:
        parse(message)

    assert f"'{field}' of Port's message is wrong" in str(caught.value)


def test_given_unknown_fields_when_read_then_they_are_ignored() -> None:
    value = load("run_v2_create")

    assert parse({**value, "new": 1, "trigger": {**value["trigger"], "also": {}}}) == parse(value)


@pytest.mark.parametrize("entity", [None, {}, ""])
def test_given_no_entity_as_templates_render_it_when_read_then_there_is_none(
    entity: object,
) -> None:
    value = load("run_v2_create")
    value["context"]["entity"] = value["payload"]["entity"] = entity

    message = parse(value)

    assert (message.entity, message.entity_snapshot) == (None, None)


def test_given_inputs_of_format_entity_when_read_then_they_are_identifiers_also_in_lists() -> None:
    value = load("run_v2_create")
    domain = value["payload"]["properties"]["domain"]
    value["payload"]["properties"] = {
        "one": domain,
        "many": [domain, {**domain, "identifier": "billing"}],
        "object": {"identifier": "typed", "other": 1},
        "list": ["a", 1, None],
    }

    assert parse(value).inputs == {
        "one": "payments",
        "many": ["payments", "billing"],
        "object": {"identifier": "typed", "other": 1},
        "list": ["a", 1, None],
    }


def test_given_no_list_of_encrypted_inputs_when_read_then_none_is_encrypted() -> None:
    absent, null = load("run_v2_create"), load("run_v2_create")
    del absent["payload"]["censoredProperties"]
    null["payload"]["censoredProperties"] = None

    assert parse(absent).censored == parse(null).censored == ()


def test_given_a_time_with_another_offset_when_read_then_it_is_in_utc() -> None:
    value = load("run_v2_create")
    value["trigger"]["at"] = "2026-11-23T15:30:00+05:30"

    assert parse(value).requested_at.isoformat() == "2026-11-23T10:00:00+00:00"


def test_given_a_time_that_utc_has_not_when_read_then_the_field_is_named() -> None:
    value = load("run_v2_create")
    value["trigger"]["at"] = "0001-01-01T00:00:00+14:00"

    with pytest.raises(InvalidInput, match=r"'trigger\.at'"):
        parse(value)


def test_given_lists_in_lists_when_read_then_no_depth_is_too_much() -> None:
    value = load("run_v2_create")
    deep: list[Any] = []
    for _ in range(3000):
        deep = [deep]
    value["payload"]["properties"] = {"x": deep}

    assert parse(value).inputs["x"] is not None


@pytest.mark.parametrize(
    "invocation",
    [
        {"type": "KAFKA", "agent": True},
        {"type": "GITHUB"},
        {"type": "GITLAB", "agent": True},
        {"type": None},
    ],
)
def test_given_another_backend_when_read_then_it_is_foreign(invocation: dict[str, Any]) -> None:
    value = load("run_v2_create")
    value["payload"]["action"]["invocationMethod"] = invocation

    with pytest.raises(ForeignMessage):
        identify(value)
