"""Definitions in Port match what Slipway reads: form, message and entity."""

import re
from typing import Any

import pytest
from slipway.approvals import request
from slipway.approvals.decision import read_decision
from slipway.approvals.models import MAX_COMMENT, Status, Vote
from slipway.changes.proposal import LONGEST_PREVIEW, code_of
from slipway.errors import ConfigurationError
from slipway.port import message

from scripts.port_definitions import load_definitions
from tests.catalogs.samples import SHIPPED, catalog
from tests.unit.approvals.conftest import NOW, make_approval

KINDS = catalog(SHIPPED).kinds.values()
CHANGES = sorted(name for kind in KINDS for name in kind.actions)
ACTIONS = sorted([*CHANGES, request.DECIDE_ACTION])
# Port's values for a template's expressions, for a run of an action.
# https://docs.port.io/actions-and-automations/setup-backend/kafka/
RENDERED: dict[str, Any] = {
    "{{ .run.id }}": "r_0123456789abcdef",
    "{{ .action.blueprint }}": "service",
    "{{ .entity.identifier }}": None,
    "{{ .trigger | {by, origin, at} }}": {
        "by": {"userId": "u1", "orgId": "org_1", "user": {"email": "ada@acme.example"}},
        "origin": "UI",
        "at": "2026-03-01T10:00:00.000Z",
    },
    "{{ .trigger.operation }}": "CREATE",
    "{{ (if .entity == {} then null else .entity end) }}": None,
    "{{ .action.encryptedProperties }}": [],
}
CHANGE_LOG = {"CHANGES_SOURCE": "change_log"}
VOTE = Vote(
    approver="devops@acme.example",
    decision="APPROVE",
    channel="Port",
    comment="fine",
    at=NOW,
    change_hash="f" * 64,
)
INPUTS = {
    "service_name": "my-service",
    "owner": "ada@acme.example",
    "team": "payments",
    "project": "shop",
    "environment": "Test",
    "service_type": "backend",
    "replicas": 2,
    "image_tag": "1.0",
    "values_format": "YAML",
}


def find(kind: str, identifier: str) -> dict[str, Any]:
    """Return an object as it is installed."""
    (found,) = (
        body for of, body in load_definitions() if (of, body["identifier"]) == (kind, identifier)
    )
    return found


def form(action: str) -> dict[str, Any]:
    value: dict[str, Any] = find("action", action)["trigger"]["userInputs"]
    return value


def render(template: Any, values: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: render(value, values) for key, value in template.items()}
    if isinstance(template, str) and "{{" in template:
        return values[template]
    return template


@pytest.mark.parametrize("action", ACTIONS)
def test_rendered_template_is_a_valid_message(action: str) -> None:
    definition = find("action", action)
    values = {**RENDERED, "{{ .inputs }}": INPUTS, "{{ .action.identifier }}": action}

    rendered = render(definition["invocationMethod"]["payload"], values)

    assert definition["invocationMethod"]["type"] == "KAFKA"
    assert message.identify(rendered) == "r_0123456789abcdef"
    read = message.parse(rendered)
    assert (read.action, read.blueprint, read.inputs) == (action, "service", INPUTS)


@pytest.mark.parametrize("action", ACTIONS)
def test_form_shows_each_input_once(action: str) -> None:
    inputs = form(action)
    order = inputs.get("order") or [name for step in inputs["steps"] for name in step["order"]]

    assert sorted(order) == sorted(inputs["properties"])


def test_values_input_is_shown_only_for_its_format() -> None:
    properties = form("create_service")["properties"]

    for name in ("common_values", "consumers_values", "custom_values"):
        assert properties[name]["type"] == "object"
        assert '"JSON"' in properties[name]["visible"]["jqQuery"]
        assert properties[f"{name}_yaml"]["format"] == "yaml"
        assert '"YAML"' in properties[f"{name}_yaml"]["visible"]["jqQuery"]
        # The hidden input of the two would submit its default as well.
        assert not {"default"} & (properties[name].keys() | properties[f"{name}_yaml"].keys())


def test_blueprint_enum_has_a_colour_for_each_value() -> None:
    schema = find("blueprint", "service")["schema"]["properties"]

    enums = {name: prop for name, prop in schema.items() if "enum" in prop}
    assert enums.keys() == {"environment", "health_status", "sync_status"}
    for prop in enums.values():
        assert list(prop["enumColors"]) == prop["enum"]


def test_request_status_has_a_colour_for_each_value() -> None:
    status = find("blueprint", "approval_request")["schema"]["properties"]["status"]

    assert list(status["enumColors"]) == status["enum"]


def test_service_changes_are_published_by_an_automation() -> None:
    found = {body["identifier"]: body for _, body in load_definitions()}

    assert "changelogDestination" not in found["service"]
    assert found["service_health_changes"]["trigger"]["event"]["blueprintIdentifier"] == "service"


def test_service_changes_go_to_the_change_log_on_request() -> None:
    found = {body["identifier"]: body for _, body in load_definitions(CHANGE_LOG)}

    assert found["service"]["changelogDestination"] == {"type": "KAFKA"}
    assert "service_health_changes" not in found


def test_unknown_source_of_changes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CHANGES_SOURCE"):
        load_definitions({"CHANGES_SOURCE": "kafka"})


def test_identifiers_use_only_ports_characters() -> None:
    # https://docs.port.io/api-reference/create-a-blueprint
    for blueprint in ("service", "bucket", "approval_request"):
        for prop in find("blueprint", blueprint)["schema"]["properties"]:
            assert re.fullmatch(r"[A-Za-z0-9@_=-]{1,100}", prop)


def test_request_entity_fits_its_blueprint() -> None:
    diff = "+line\n" * LONGEST_PREVIEW
    approval = make_approval(
        votes={"devops@acme.example": VOTE},
        decided_at=NOW,
        status="APPROVED",
        code=code_of(diff),
    )
    body = request.entity(approval, run_url="https://a", service_url="https://b", preview=diff)
    body["properties"]["pr_url"] = "https://c"

    schema = find("blueprint", "approval_request")["schema"]
    types: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "number": (int, float),
        "array": list,
    }
    assert body["properties"].keys() == schema["properties"].keys()
    for name, value in body["properties"].items():
        assert isinstance(value, types[schema["properties"][name]["type"]]), name
    shown = {status.title() for status in Status} | {request.EXECUTED}
    assert set(schema["properties"]["status"]["enum"]) == shown
    assert find("blueprint", "approval_request").get("relations", {}) == {}


def test_request_has_a_title_in_words() -> None:
    asked = make_approval(
        action="hand_over_service", service="service/shop", summary="to the night shift"
    )

    body = request.entity(asked, run_url="https://a", service_url="https://b")

    assert body["title"] == "Hand over service shop: to the night shift"


def test_decision_form_has_every_field_that_slipway_reads() -> None:
    inputs = form("decide_approval")
    assert set(inputs["properties"]) == {"decision", "comment", "change"}
    assert [read_decision(value) for value in inputs["properties"]["decision"]["enum"]]
    assert inputs["properties"]["comment"]["maxLength"] == MAX_COMMENT
    assert inputs["required"] == ["decision", "change"]


@pytest.mark.parametrize("action", CHANGES)
def test_action_automation_reports_an_ended_run(action: str) -> None:
    automation = find("action", f"{action}_ended")
    values = {"{{ .event.diff.after.id }}": "r_0123456789abcdef", "{{ .run.id }}": "r_automation1"}

    ended = message.run_ended(render(automation["invocationMethod"]["payload"], values))

    assert ended == message.EndedRun(run_id="r_0123456789abcdef", automation_run_id="r_automation1")
    assert automation["trigger"]["event"] == {"type": "RUN_UPDATED", "actionIdentifier": action}
    assert automation["trigger"]["condition"]["expressions"] == [
        '.diff.before.status == "IN_PROGRESS"',
        '.diff.after.status == "FAILURE"',
    ]
    assert automation["publish"] is True


@pytest.mark.parametrize("action", CHANGES)
def test_dry_run_is_the_last_input(action: str) -> None:
    inputs = form(action)
    order = inputs.get("order") or inputs["steps"][-1]["order"]

    assert order[-1] == "dry_run"
    assert inputs["properties"]["dry_run"]["default"] is False
    assert "dry_run" not in inputs["required"]


@pytest.mark.parametrize("action", ACTIONS)
def test_ports_own_approval_is_not_used(action: str) -> None:
    assert find("action", action)["requiredApproval"] is False
