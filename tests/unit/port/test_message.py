"""Messages on the topic of runs: which are Slipway's, and what they request."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.errors import ForeignMessage, InvalidInput, RunNotFound
from slipway.port.message import EndedRun, identify, parse, run_ended

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "port"


def load(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def test_every_example_message_names_its_source() -> None:
    sources = (FIXTURES / "README.md").read_text()

    files = {file.name for file in FIXTURES.glob("*.json")}
    assert set(re.findall(r"`([a-z0-9_]+\.json)`", sources)) == files


@pytest.mark.parametrize("name", ["run_v1_create", "run_v2_create"])
def test_create_message_is_equal_in_both_formats(name: str) -> None:
    value = load(name)

    assert identify(value) == "r_0123456789abcdef"
    message = parse(value)
    assert message.action == "create_service"
    assert message.operation == "CREATE"
    assert message.entity is None
    assert message.requester.email == "dee@acme.example"
    assert message.requester.name == "Dee Veloper"
    assert message.requested_at.isoformat() == "2026-11-23T10:00:00.500000+00:00"
    assert message.inputs["service_name"] == "shop"
    assert message.inputs["domain"] == "payments"


@pytest.mark.parametrize("name", ["run_v1_day2", "run_v2_day2"])
def test_day_2_message_has_its_entity_in_both_formats(name: str) -> None:
    message = parse(load(name))

    assert (message.operation, message.entity) == ("DAY-2", "shop")
    assert message.censored == ("password",)


def test_requester_without_an_email_keeps_its_user_id() -> None:
    value = load("run_v2_create")
    del value["trigger"]["by"]["user"]

    requester = parse(value).requester

    assert requester.email == ""
    assert requester.user_id == "auth0|1"


@pytest.mark.parametrize(
    "name",
    [
        "change_log_update",
        "change_log_update_2022",
        "change_log_agent",
        "change_log_run",
        "timer",
        "agent_webhook",
        "automation_event",
        "template_own_shape",
        "template_run_id",
        "workflow",
        "workflow_agent",
        "workflow_wrapped",
        "array",
    ],
)
def test_message_of_another_consumer_is_foreign(name: str) -> None:
    with pytest.raises(ForeignMessage):
        identify(load(name))


@pytest.mark.parametrize("run_id", [None, "", 5, "r_", "r_../x", "r_" + "a" * 65, "run", "R_1"])
def test_message_without_a_usable_run_id_is_refused(run_id: object) -> None:
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
def test_error_names_a_message_field_of_another_type(
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


def test_unknown_message_fields_are_ignored() -> None:
    value = load("run_v2_create")

    assert parse({**value, "new": 1, "trigger": {**value["trigger"], "also": {}}}) == parse(value)


@pytest.mark.parametrize("entity", [None, {}, ""])
def test_empty_entity_of_a_template_is_read_as_none(
    entity: object,
) -> None:
    value = load("run_v2_create")
    value["context"]["entity"] = value["payload"]["entity"] = entity

    message = parse(value)

    assert message.entity is None


def test_entity_inputs_are_read_as_identifiers() -> None:
    value = load("run_v2_create")
    domain = value["payload"]["properties"]["domain"]
    value["payload"]["properties"] = {
        "one": domain,
        "many": [domain, {**domain, "identifier": "billing"}],
        "object": {"identifier": "typed", "other": 1},
        # A person may type this as a value of a service; it is not an entity.
        "typed": {"identifier": "a", "blueprint": "b", "properties": {}},
        "list": ["a", 1, None],
    }

    assert parse(value).inputs == {
        "one": "payments",
        "many": ["payments", "billing"],
        "object": {"identifier": "typed", "other": 1},
        "typed": {"identifier": "a", "blueprint": "b", "properties": {}},
        "list": ["a", 1, None],
    }


def test_message_without_encrypted_inputs_has_none() -> None:
    absent, null = load("run_v2_create"), load("run_v2_create")
    del absent["payload"]["censoredProperties"]
    null["payload"]["censoredProperties"] = None

    assert parse(absent).censored == parse(null).censored == ()


def test_message_time_is_converted_to_utc() -> None:
    value = load("run_v2_create")
    value["trigger"]["at"] = "2026-11-23T15:30:00+05:30"

    assert parse(value).requested_at.isoformat() == "2026-11-23T10:00:00+00:00"


def test_time_that_utc_cannot_express_is_refused_by_field() -> None:
    value = load("run_v2_create")
    value["trigger"]["at"] = "0001-01-01T00:00:00+14:00"

    with pytest.raises(InvalidInput, match=r"'trigger\.at'"):
        parse(value)


def test_deeply_nested_lists_are_read() -> None:
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
def test_message_for_another_backend_is_foreign(invocation: dict[str, Any]) -> None:
    value = load("run_v2_create")
    value["payload"]["action"]["invocationMethod"] = invocation

    with pytest.raises(ForeignMessage):
        identify(value)


def notice(**context: object) -> dict[str, Any]:
    return {"action": "run_ended", "resourceType": "run", "context": context}


def test_run_ended_message_names_both_runs() -> None:
    value = notice(runId="r_0123456789abcdef", automationRunId="r_fedcba9876543210")

    ended = EndedRun(run_id="r_0123456789abcdef", automation_run_id="r_fedcba9876543210")
    assert run_ended(value) == ended


@pytest.mark.parametrize("own", [{}, {"automationRunId": None}])
def test_run_ended_message_counts_without_an_automation_run(
    own: dict[str, None],
) -> None:
    assert run_ended(notice(runId="r_1", **own)) == EndedRun(run_id="r_1")


def test_signed_run_ended_message_counts() -> None:
    value = {**notice(runId="r_1"), "headers": {"X-Port-Signature": "v1,x"}}

    assert run_ended(value) == EndedRun(run_id="r_1")


BAD_IDS = ["", 5, [], {}, "r_", "r_../x", "r_1\n", "wfnr_1", "r_" + "a" * 65, "R_1", "r_é"]


@pytest.mark.parametrize("run_id", [None, *BAD_IDS])
def test_run_ended_message_without_a_run_is_foreign(run_id: object) -> None:
    with pytest.raises(ForeignMessage):
        run_ended(notice(runId=run_id, automationRunId="r_1"))


@pytest.mark.parametrize("own", BAD_IDS)
def test_run_ended_message_with_an_invalid_own_run_is_foreign(own: object) -> None:
    with pytest.raises(ForeignMessage):
        run_ended(notice(runId="r_1", automationRunId=own))


@pytest.mark.parametrize("context", [None, [], "r_1", 5])
def test_run_ended_message_without_context_is_foreign(context: object) -> None:
    with pytest.raises(ForeignMessage):
        run_ended({**notice(), "context": context})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "run_ended",
        {},
        load("run_v2_create"),
        load("change_log_run"),
        {**notice(runId="r_1"), "action": ["run_ended"]},
        {**notice(runId="r_1"), "resourceType": "entity"},
        {**notice(runId="r_1"), "diff": {}},
        {**notice(runId="r_1"), "changelogDestination": {}},
    ],
)
def test_other_messages_are_not_run_ended_messages(value: object) -> None:
    assert run_ended(value) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
IDS = st.sampled_from(["r_1", "run_1", "r_0123456789abcdef", "r_", "r_1 ", "wfr_1"]) | JSON


@given(run_id=IDS, own=IDS)
def test_run_ended_message_yields_only_run_ids(run_id: object, own: object) -> None:
    try:
        ended = run_ended(notice(runId=run_id, automationRunId=own))
    except ForeignMessage:
        return

    assert ended is not None
    assert (ended.run_id, ended.automation_run_id) == (run_id, own)
    for found in (ended.run_id, ended.automation_run_id or ended.run_id):
        assert re.fullmatch(r"(r|run)_[A-Za-z0-9]+", found)


def test_run_ended_message_is_foreign_when_read_as_a_run() -> None:
    with pytest.raises(ForeignMessage):
        identify(notice(runId="r_1"))


@pytest.mark.parametrize("identifier", [".", "..", "a b", "x" * 1001])
def test_invalid_entity_identifier_is_refused(
    identifier: str,
) -> None:
    value = load("run_v2_day2")
    value["context"]["entity"] = identifier

    with pytest.raises(InvalidInput, match=r"context\.entity"):
        parse(value)
