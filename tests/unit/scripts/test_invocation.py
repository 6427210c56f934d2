"""How Port is configured to invoke an installation."""

from typing import Any

import pytest
from slipway.errors import ConfigurationError
from slipway.port.message import identify, parse
from slipway.runs.queues import Queues

from scripts.checks import kafka
from scripts.checks.result import Installation
from scripts.invocation import invoked
from scripts.port_definitions import load_definitions
from scripts.port_setup import wanted_definitions

URL = "https://abc.execute-api.eu-west-1.amazonaws.com/live/port/webhook"
BY_WEBHOOK = {"RUN_SOURCE": "webhook", "WEBHOOK_URL": URL, "SUBSCRIPTIONS": "[]"}
RUNS: dict[str, str] = {"create_service": "queue", "run_ended": "approval"}


def methods(settings: dict[str, str], record: dict[str, Any] | None = None) -> list[Any]:
    definitions = wanted_definitions(record or {}, settings)
    return [each["invocationMethod"] for kind, each in definitions if kind == "action"]


@pytest.mark.parametrize("settings", [{}, {"RUN_SOURCE": ""}, {"RUN_SOURCE": "kafka"}])
def test_port_publishes_on_kafka_by_default(settings: dict[str, str]) -> None:
    assert {each["type"] for each in methods(settings)} == {"KAFKA"}


def test_port_sends_every_action_and_automation_by_webhook() -> None:
    found = methods(BY_WEBHOOK)

    assert len(found) == len(methods({}))
    assert {(each["type"], each["url"]) for each in found} == {("WEBHOOK", URL)}
    assert all("payload" not in each and each["body"] for each in found)


def test_webhook_is_asynchronous_and_without_an_agent() -> None:
    for each in methods(BY_WEBHOOK):
        assert (each["synchronized"], each["agent"], each["method"]) == (False, False, "POST")


def test_action_body_is_a_valid_message() -> None:
    action = next(
        each
        for kind, each in wanted_definitions({}, BY_WEBHOOK)
        if kind == "action" and each["identifier"] == "create_service"
    )
    body = action["invocationMethod"]["body"]
    values: dict[str, Any] = {
        "action": "create_service",
        "trigger": {"by": {"userId": "u1"}, "at": "2026-11-23T10:00:00Z"},
        "context": {"runId": "r_0123456789abcdef"},
    }
    message = {**body, **values}
    message["payload"] = {
        "action": {**body["payload"]["action"], "trigger": "CREATE"},
        "properties": {},
    }

    assert body.keys() >= {"action", "resourceType", "context", "payload"}
    assert identify(message) == parse(message).run_id == "r_0123456789abcdef"
    assert Queues(runs=RUNS).route(message) == "queue"


def test_automation_body_equals_the_kafka_message() -> None:
    of_kafka = {each["identifier"]: each for kind, each in load_definitions() if kind == "action"}

    for kind, each in wanted_definitions({}, BY_WEBHOOK):
        if kind == "action" and each["trigger"]["type"] == "automation":
            before = of_kafka[each["identifier"]]["invocationMethod"]["payload"]
            assert each["invocationMethod"]["body"] == before


def test_source_stays_unchanged_when_none_is_named() -> None:
    record = {
        f"{kind} {each['identifier']}": each for kind, each in wanted_definitions({}, BY_WEBHOOK)
    }

    assert methods({"SUBSCRIPTIONS": "[]"}, record) == methods(BY_WEBHOOK)


def test_source_can_be_changed_back_to_kafka() -> None:
    record = {
        f"{kind} {each['identifier']}": each for kind, each in wanted_definitions({}, BY_WEBHOOK)
    }

    assert {
        each["type"] for each in methods({"RUN_SOURCE": "kafka"} | {"SUBSCRIPTIONS": "[]"}, record)
    } == {"KAFKA"}


def test_definitions_that_port_runs_itself_stay_unchanged() -> None:
    upsert = {"identifier": "x", "invocationMethod": {"type": "UPSERT_ENTITY", "mapping": {}}}

    assert invoked([("action", upsert)], BY_WEBHOOK, {}) == [("action", upsert)]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"RUN_SOURCE": "sqs"}, "RUN_SOURCE"),
        ({"RUN_SOURCE": "webhook"}, "WEBHOOK_URL"),
        ({"RUN_SOURCE": "webhook", "WEBHOOK_URL": "http://slipway.example.com/x"}, "WEBHOOK_URL"),
        ({"RUN_SOURCE": "webhook", "WEBHOOK_URL": "https://a b/x"}, "WEBHOOK_URL"),
    ],
)
def test_wrong_source_is_named(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        methods(wrong)


@pytest.mark.parametrize("check", [kafka.brokers, kafka.topics])
def test_doctor_skips_kafka_for_webhooks(check: Any) -> None:
    assert check(Installation({"RUN_SOURCE": "webhook"})).ok is None
