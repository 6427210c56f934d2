"""The definitions that Slipway installs in Port conform to Port's description."""

import json
from typing import Any

import pytest

from scripts.port_setup import wanted_definitions
from tests.references import descriptions

# A subscription of a team's own, beside that of the checks.
SUBSCRIPTION = {"name": "log", "state_machine": "m", "filter": {"blueprint": "service"}}
BY_KAFKA = {"SUBSCRIPTIONS": json.dumps([SUBSCRIPTION])}
ADDRESS = "https://api.acme.example/live/port/webhook"
BY_WEBHOOK = {**BY_KAFKA, "RUN_SOURCE": "webhook", "WEBHOOK_URL": ADDRESS}
DEFINITIONS = [*wanted_definitions({}, BY_KAFKA), *wanted_definitions({}, BY_WEBHOOK)]
NAMES = [f"{kind} {definition['identifier']}" for kind, definition in DEFINITIONS]


def test_definitions_are_by_kafka_and_by_webhook() -> None:
    methods = [each["invocationMethod"]["type"] for kind, each in DEFINITIONS if kind == "action"]

    assert methods.count("KAFKA") == methods.count("WEBHOOK") > 0


@pytest.mark.parametrize(("kind", "definition"), DEFINITIONS, ids=NAMES)
def test_definition_conforms_to_ports_description(kind: str, definition: dict[str, Any]) -> None:
    faults = list(descriptions.port().check(kind, definition))

    assert not faults, "\n".join(faults)
