"""docs/health.md: Argo CD's payloads, and what Port's mappings make of them."""

import json
import re
from pathlib import Path
from typing import Any

import jq
import yaml

PAGE = (Path(__file__).resolve().parents[2] / "docs/health.md").read_text()
BLOCKS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))
APPLICATION = yaml.safe_load(BLOCKS["application.yaml"]) | {
    "status": {"health": {"status": "Degraded"}, "sync": {"status": "Synced"}}
}
FROM_ARGO_CD = {
    "identifier": "pay.billing.invoices.qa",
    "properties": {"health_status": "Degraded", "sync_status": "Synced"},
}
# The ways in which the page's template reads the application.
WITH = re.compile(r'\{\{with index \.app\.([\w.]+) "([^"]+)"\}\}\{\{\.\}\}\{\{end\}\}')
INDEX = re.compile(r'\{\{index \.app\.([\w.]+) "([^"]+)"\}\}')
FIELD = re.compile(r"\{\{\.app\.([\w.]+)\}\}")
# What Go's templates write for a key that a map does not have.
MISSING = "<no value>"


def config() -> dict[str, Any]:
    """Return the notifications' configuration, with each entry parsed."""
    data = yaml.safe_load(BLOCKS["argocd-notifications-cm.yaml"])["data"]
    return {name: yaml.safe_load(text) for name, text in data.items()}


def sent(application: dict[str, Any] = APPLICATION) -> Any:
    """Return the body that Argo CD sends for an application."""

    def dig(path: str) -> Any:
        value: Any = application
        for name in path.split("."):
            value = value[name]
        return value

    body = config()["template.port-health"]["webhook"]["port"]["body"]
    body = WITH.sub(lambda match: dig(match[1]).get(match[2], ""), body)
    body = INDEX.sub(lambda match: dig(match[1]).get(match[2], MISSING), body)
    return json.loads(FIELD.sub(lambda match: dig(match[1]), body))


def mapped(mapping: dict[str, Any], value: object) -> dict[str, Any]:
    """Return the entity that Port creates by a mapping."""
    properties = {
        name: jq.compile(source).input_value(value).first()
        for name, source in mapping["properties"].items()
    }
    identifier = jq.compile(mapping["identifier"]).input_value(value).first()
    return {"identifier": identifier, "properties": properties}


def test_webhook_writes_health_of_the_named_entity() -> None:
    (rule,) = json.loads(BLOCKS["port-webhook-mapping.json"])
    event = {"body": sent()}

    assert jq.compile(rule["filter"]).input_value(event).first() is True
    assert rule["blueprint"] == "service"
    assert mapped(rule["entity"], event) == FROM_ARGO_CD


def test_webhook_leaves_applications_without_an_entity() -> None:
    (rule,) = json.loads(BLOCKS["port-webhook-mapping.json"])
    subscribed = {"notifications.argoproj.io/subscribe.on-health-changed.port": ""}
    event = {"body": sent(APPLICATION | {"metadata": {"annotations": subscribed}})}

    assert jq.compile(rule["filter"]).input_value(event).first() is False


def test_integration_writes_health_of_the_named_entity() -> None:
    (resource,) = yaml.safe_load(BLOCKS["port-app-config.yaml"])["resources"]
    mapping = resource["port"]["entity"]["mappings"]

    assert jq.compile(resource["selector"]["query"]).input_value(APPLICATION).first() is True
    assert jq.compile(mapping["blueprint"]).input_value(APPLICATION).first() == "service"
    assert mapped(mapping, APPLICATION) == FROM_ARGO_CD


def test_each_health_state_has_a_trigger_and_a_subscription() -> None:
    found = config()
    states = [condition["when"].split("'")[1] for condition in found["trigger.on-health-changed"]]
    shipped = json.loads(Path("catalog/service/blueprint.json").read_text())
    known = shipped["schema"]["properties"]["health_status"]["enum"]

    assert set(states) == set(known) - {"Pending", "Unknown"}
    assert all(one["send"] == ["port-health"] for one in found["trigger.on-health-changed"])
    subscriptions = [name for name in APPLICATION["metadata"]["annotations"] if "subscribe" in name]
    assert subscriptions == ["notifications.argoproj.io/subscribe.on-health-changed.port"]
    assert {"service.webhook.port", "template.port-health"} <= found.keys()
