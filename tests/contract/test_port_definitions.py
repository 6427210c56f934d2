"""What is installed in Port fits what Slipway reads: the form, the message, the entity."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from slipway.approvals import request
from slipway.approvals.decision import read_decision
from slipway.approvals.models import MAX_COMMENT, Status, Vote
from slipway.catalog.entities import with_pull_request
from slipway.catalog.planning import FilePlan, Situation, make_plan
from slipway.catalog.request import Request, Tree, find_target
from slipway.changes.proposal import LONGEST_PREVIEW, code_of
from slipway.errors import ConfigurationError
from slipway.port import message

from scripts.port_setup import load_definitions
from tests.entities import shipped
from tests.unit.approvals.conftest import NOW, make_approval

PORT = Path(__file__).resolve().parents[2] / "port"
CHANGES = ["create_service", "delete_service", "downscale_service", "upscale_service"]
ACTIONS = sorted([*CHANGES, request.DECIDE_ACTION])
# What Port puts in the place of a template's expressions, for a run of an action.
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


def load(path: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((PORT / path).read_text(encoding="utf-8"))
    return value


def form(action: str) -> dict[str, Any]:
    value: dict[str, Any] = load(f"actions/{action}.json")["trigger"]["userInputs"]
    return value


def render(template: Any, values: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: render(value, values) for key, value in template.items()}
    if isinstance(template, str) and "{{" in template:
        return values[template]
    return template


def test_there_are_exactly_the_known_actions() -> None:
    assert sorted(file.stem for file in (PORT / "actions").glob("*.json")) == ACTIONS


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_named_as_its_file_and_belongs_to_the_blueprint(action: str) -> None:
    definition = load(f"actions/{action}.json")

    assert definition["identifier"] == action
    blueprint = "service" if action in CHANGES else "approval_request"
    assert definition["trigger"]["blueprintIdentifier"] == blueprint
    assert definition["invocationMethod"]["type"] == "KAFKA"


@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_template_renders_to_is_a_message_that_slipway_reads(action: str) -> None:
    template = load(f"actions/{action}.json")["invocationMethod"]["payload"]
    values = {**RENDERED, "{{ .inputs }}": INPUTS, "{{ .action.identifier }}": action}

    rendered = render(template, values)

    assert message.identify(rendered) == "r_0123456789abcdef"
    read = message.parse(rendered)
    assert (read.action, read.blueprint, read.inputs) == (action, "service", INPUTS)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_form_shows_each_input_once(action: str) -> None:
    inputs = form(action)
    order = inputs.get("order") or [name for step in inputs["steps"] for name in step["order"]]

    assert sorted(order) == sorted(inputs["properties"])


def test_the_form_has_the_rules_that_slipway_checks() -> None:
    properties = form("create_service")["properties"]

    assert (properties["replicas"]["minimum"], properties["replicas"]["maximum"]) == (1, 100)
    assert properties["environment"]["enum"] == ["Test", "Staging", "Production"]
    assert properties["values_format"]["enum"] == ["JSON", "YAML"]


def test_each_values_input_is_shown_for_its_format_only() -> None:
    properties = form("create_service")["properties"]

    for name in ("common_values", "consumers_values", "custom_values"):
        assert properties[name]["type"] == "object"
        assert '"JSON"' in properties[name]["visible"]["jqQuery"]
        assert properties[f"{name}_yaml"]["format"] == "yaml"
        assert '"YAML"' in properties[f"{name}_yaml"]["visible"]["jqQuery"]
        # A default would be submitted by the hidden one of the two as well.
        assert not {"default"} & (properties[name].keys() | properties[f"{name}_yaml"].keys())


def test_the_entity_that_slipway_writes_fits_the_blueprint() -> None:
    template = load("actions/create_service.json")["invocationMethod"]["payload"]
    values = {**RENDERED, "{{ .inputs }}": INPUTS, "{{ .action.identifier }}": "create_service"}
    run = message.parse(render(template, values))

    request = Request(run_id=run.run_id, action=run.action, inputs=run.inputs)
    target = find_target(shipped(), request)
    plan = make_plan(target, request, Situation(tree=Tree({}, {})))
    assert isinstance(plan, FilePlan)
    assert plan.entity is not None
    entity = with_pull_request(target.kind, plan.entity, "https://github.test/pull/1")

    schema = load("blueprints/service.json")["schema"]["properties"]
    types: dict[str, type | tuple[type, ...]] = {"string": str, "number": (int, float)}
    for name, value in entity["properties"].items():
        assert isinstance(value, types[schema[name]["type"]]), name
        assert value in schema[name].get("enum", [value]), name


def test_an_enum_of_the_blueprint_has_a_colour_for_each_value() -> None:
    schema = load("blueprints/service.json")["schema"]["properties"]

    enums = {name: prop for name, prop in schema.items() if "enum" in prop}
    assert enums.keys() == {"environment", "health_status", "sync_status"}
    for prop in enums.values():
        assert list(prop["enumColors"]) == prop["enum"]


def test_each_status_of_a_request_has_a_colour() -> None:
    status = load("blueprints/approval_request.json")["schema"]["properties"]["status"]

    assert list(status["enumColors"]) == status["enum"]


def test_changes_of_services_come_by_an_automation() -> None:
    found = {body["identifier"]: body for _, body in load_definitions()}

    assert "changelogDestination" not in found["service"]
    assert found["health_changes"]["trigger"]["event"]["blueprintIdentifier"] == "service"


def test_changes_of_services_go_to_the_change_log_on_request() -> None:
    found = {body["identifier"]: body for _, body in load_definitions(CHANGE_LOG)}

    assert found["service"]["changelogDestination"] == {"type": "KAFKA"}
    assert "health_changes" not in found


def test_unknown_source_of_changes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CHANGES_SOURCE"):
        load_definitions({"CHANGES_SOURCE": "kafka"})


def test_identifiers_keep_to_ports_characters() -> None:
    # https://docs.port.io/api-reference/create-a-blueprint
    for blueprint in ("service", "approval_request"):
        for prop in load(f"blueprints/{blueprint}.json")["schema"]["properties"]:
            assert re.fullmatch(r"[A-Za-z0-9@_=-]{1,100}", prop)


def test_the_request_that_slipway_writes_fits_the_blueprint() -> None:
    diff = "+line\n" * LONGEST_PREVIEW
    approval = make_approval(
        votes={"devops@acme.example": VOTE},
        decided_at=NOW,
        status="APPROVED",
        code=code_of(diff),
    )
    body = request.entity(approval, run_url="https://a", service_url="https://b", preview=diff)
    body["properties"]["pr_url"] = "https://c"

    schema = load("blueprints/approval_request.json")["schema"]
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
    assert load("blueprints/approval_request.json").get("relations", {}) == {}


def test_a_request_is_titled_in_words() -> None:
    asked = make_approval(action="hand_over_service", service="shop", summary="to the night shift")

    body = request.entity(asked, run_url="https://a", service_url="https://b")

    assert body["title"] == "Hand over shop: to the night shift"


def test_the_decision_form_asks_for_what_slipway_reads() -> None:
    inputs = form("decide_approval")
    assert set(inputs["properties"]) == {"decision", "comment", "change"}
    assert [read_decision(value) for value in inputs["properties"]["decision"]["enum"]]
    assert inputs["properties"]["comment"]["maxLength"] == MAX_COMMENT
    assert inputs["required"] == ["decision", "change"]


@pytest.mark.parametrize("action", CHANGES)
def test_every_change_can_be_tried_and_tells_when_somebody_ends_it(action: str) -> None:
    assert form(action)["properties"]["dry_run"]["type"] == "boolean"
    automation = load(f"automations/{action}_ended.json")
    assert automation["trigger"]["event"] == {"type": "RUN_UPDATED", "actionIdentifier": action}
    assert automation["publish"] is True
    values = {"{{ .event.diff.after.id }}": "r_0123456789abcdef", "{{ .run.id }}": "r_automation1"}
    ended = message.run_ended(render(automation["invocationMethod"]["payload"], values))
    assert ended == message.EndedRun(run_id="r_0123456789abcdef", automation_run_id="r_automation1")


def test_there_is_an_automation_for_each_change_and_no_other() -> None:
    files = sorted(file.stem for file in (PORT / "automations").glob("*.json"))

    assert files == [f"{action}_ended" for action in CHANGES]
    for name in files:
        automation = load(f"automations/{name}.json")
        assert automation["identifier"] == name
        assert automation["trigger"]["condition"] == {
            "type": "JQ",
            "expressions": [
                '.diff.before.status == "IN_PROGRESS"',
                '.diff.after.status == "FAILURE"',
            ],
            "combinator": "and",
        }


@pytest.mark.parametrize("action", CHANGES)
def test_the_dry_run_is_the_last_thing_that_is_asked(action: str) -> None:
    inputs = form(action)
    order = inputs.get("order") or inputs["steps"][-1]["order"]

    assert order[-1] == "dry_run"
    assert inputs["properties"]["dry_run"]["default"] is False
    assert "dry_run" not in inputs["required"]


@pytest.mark.parametrize("action", ACTIONS)
def test_ports_own_approval_stays_out_of_it(action: str) -> None:
    assert load(f"actions/{action}.json")["requiredApproval"] is False
