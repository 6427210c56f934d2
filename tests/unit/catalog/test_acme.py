"""The example of docs/adapt.md: another company's catalog, without any system."""

import json
from typing import Any

import pytest
import yaml
from slipway.catalog.entities import read_entity
from slipway.catalog.planning import FilePlan, NothingToDo, WorkflowPlan
from slipway.catalog.request import Tree
from slipway.errors import InvalidInput, UserError

from tests.catalogs.samples import (
    ACME,
    EMPTY,
    RUN_ID,
    catalog,
    files_of,
    plan_of,
    target_of,
    tree_of,
)

INPUTS: dict[str, Any] = {
    "unit": "pay",
    "team": {"name": "billing"},
    "name": "invoices",
    "env": "qa",
    "tier": "gold",
    "cost_center": "CC-0042",
    "language": "python",
    "slack_channel": "#billing-alerts",
    "regions": ["eu-west-1", "us-east-1"],
    "on_call": {"email": "ada@acme.example"},
    "replicas": 2,
    "image": "1.10",
}
ENTITY = "pay.billing.invoices.qa"
FOLDER = "services/billing/invoices"


def create(**inputs: Any) -> FilePlan:
    return files_of(ACME, "create_service", inputs={**INPUTS, **inputs})


def text_of(plan: FilePlan, path: str) -> str:
    text = plan.files[f"{FOLDER}/{path}"]
    assert text is not None
    return text


def configure(tree: Tree, **inputs: Any) -> Any:
    typed = {"image": "1.11", "debug": True, "region": "eu-west-1", **inputs}
    return plan_of(ACME, "configure_service", tree, entity=ENTITY, inputs=typed)


def test_create_writes_the_skeleton_and_the_metadata() -> None:
    plan = create()

    assert plan.target.repository == "pay"
    assert plan.target.key == f"service/{ENTITY}"
    assert sorted(plan.files) == [
        f"{FOLDER}/port-qa.json",
        f"{FOLDER}/qa/README.md",
        f"{FOLDER}/qa/config.json",
        f"{FOLDER}/qa/deploy.sh",
        f"{FOLDER}/qa/main.tf",
        f"{FOLDER}/values-qa.yaml",
    ]
    assert text_of(plan, "values-qa.yaml") == (
        "# Made by Slipway; the chart reads it.\n"
        "deployment:\n"
        "  replicaCount: 2 # scaled by hand in dev\n"
        "  image:\n"
        "    repository: registry.acme.example/billing/invoices\n"
        '    tag: "1.10"\n'
        "regions: [eu-west-1, us-east-1]\n"
        'channel: "#billing-alerts"\n'
    )
    assert json.loads(text_of(plan, "qa/config.json")) == {
        "service": "invoices",
        "tier": "gold",
        "debug": False,
    }
    assert 'cost_center = "CC-0042"\n' in text_of(plan, "qa/main.tf")
    assert '"slack:#billing-alerts"' in text_of(plan, "qa/main.tf")
    assert "CHANNEL='#billing-alerts'\n" in text_of(plan, "qa/deploy.sh")
    assert text_of(plan, "qa/README.md").startswith("# invoices in qa\n")
    assert json.loads(text_of(plan, "port-qa.json")) == {
        "identifier": ENTITY,
        "tier": "gold",
        "cost_center": "CC-0042",
        "language": "python",
        "slack_channel": "#billing-alerts",
        "on_call": "ada@acme.example",
        "blueprint": "service",
        "run_id": RUN_ID,
    }


def test_create_adds_an_entity_whose_types_are_kept() -> None:
    entity = create().entity

    assert entity is not None
    assert entity["title"] == "invoices (qa)"
    assert entity["relations"] == {"on_call": "ada@acme.example"}
    assert entity["properties"] == {
        "tier": "gold",
        "cost_center": "CC-0042",
        "language": "python",
        "slack_channel": "#billing-alerts",
        "environment": "qa",
        "regions": ["eu-west-1", "us-east-1"],
        "replicas": 2,
        "image": "1.10",
        "debug": False,
        "health_status": "Pending",
    }


def test_create_is_refused_by_a_rule() -> None:
    with pytest.raises(UserError, match="A bronze service cannot run in prod"):
        create(env="prod", tier="bronze")


def test_relation_is_empty_when_omitted() -> None:
    entity = create(on_call=None).entity

    assert entity is not None
    assert entity["relations"] == {"on_call": None}


def test_merged_entity_has_its_address() -> None:
    kind = catalog(ACME).kinds["service"]
    said = read_entity(kind, ENTITY, kind.parts_of(ENTITY), tree_of(create()), {})

    assert said.notes == {}
    assert said.entity["properties"]["health_url"] == "https://invoices.qa.acme.example/health"


def test_update_sets_a_text_and_a_flag_and_appends() -> None:
    plan = configure(tree_of(create(regions=["us-east-1"])))

    assert sorted(plan.files) == [f"{FOLDER}/qa/config.json", f"{FOLDER}/values-qa.yaml"]
    values = yaml.safe_load(text_of(plan, "values-qa.yaml"))
    assert values["deployment"]["image"]["tag"] == "1.11"
    assert values["regions"] == ["us-east-1", "eu-west-1"]
    assert json.loads(text_of(plan, "qa/config.json"))["debug"] is True
    assert plan.facts["deployment.image.tag"] == "1.10 → 1.11"
    assert plan.facts["regions"] == '["us-east-1"] → ["us-east-1", "eu-west-1"]'
    assert plan.environments == ("qa",)


def test_update_changes_nothing_when_all_values_exist() -> None:
    plan = configure(tree_of(create()), image="1.10", debug=False)

    assert plan == NothingToDo(
        reason=f"Nothing to do: Service '{ENTITY}' already has the requested values."
    )


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("values-qa.yaml", "deployment: {image: {tag: 5}}\n", 'not of the type of "1.11"'),
        ("values-qa.yaml", "deployment: {}\n", "has no 'deployment.image.tag', looked for"),
        ("values-qa.yaml", "deployment: [1]\n", "needs an index"),
        ("qa/config.json", '{"debug": "no"}', "has \"no\" as 'debug', which is not of the type"),
        ("qa/config.json", '{"debug": {}}', "which is not of the type of true"),
    ],
)
def test_update_is_refused_when_a_file_differs(path: str, text: str, problem: str) -> None:
    tree = tree_of(create(), **{f"{FOLDER}/{path}": text})
    with pytest.raises(UserError) as caught:
        configure(tree)

    assert problem in str(caught.value)
    assert f"{FOLDER}/{path}" in str(caught.value)


def test_update_is_refused_when_a_file_is_missing() -> None:
    tree = tree_of(create())
    files = {path: sha for path, sha in tree.files.items() if "config" not in path}

    with pytest.raises(
        UserError, match=r"services/billing/invoices/qa/config\.json does not exist"
    ):
        configure(Tree(files, tree.texts))


def test_workflow_receives_its_inputs() -> None:
    plan = plan_of(
        ACME, "redeploy_service", tree_of(create()), entity=ENTITY, inputs={"reason": "$(id)"}
    )

    assert isinstance(plan, WorkflowPlan)
    assert plan.inputs == {
        "service": "invoices",
        "environment": "qa",
        "reason": "$(id)",
        "run": RUN_ID,
    }
    assert plan.environments == ("qa",)


def test_delete_leaves_the_other_environments() -> None:
    tree = tree_of(create(), create(env="prod"))

    plan = files_of(ACME, "delete_service", tree, entity=ENTITY, inputs={"confirm": ENTITY})

    assert plan.files == dict.fromkeys(create().files)
    assert plan.files.keys() < tree.files.keys()


@pytest.mark.parametrize(
    ("field", "value", "title"),
    [
        ("name", "foo\n", "Name"),
        ("name", "a.b", "Name"),
        ("team", "../ops", "Team"),
        ("team", "a\nadmin: true", "Team"),
        ("cost_center", "CC-1\n", "Cost center"),
        ("slack_channel", "#x\nadmin: true", "Slack channel"),
        ("slack_channel", "#${x}", "Slack channel"),
        ("regions", ["mars"], "Regions"),
        ("regions", [], "Regions"),
        ("image", "1 {{ x }}", "Image tag"),
        ("unit", "other", "Business unit"),
    ],
)
def test_invalid_input_error_names_its_title(field: str, value: Any, title: str) -> None:
    with pytest.raises(InvalidInput, match=f"Input '{title}' "):
        create(**{field: value})


def test_metadata_of_another_entity_is_refused() -> None:
    other = json.loads(text_of(create(), "port-qa.json")) | {"identifier": "pay.ops.invoices.qa"}
    tree = tree_of(create(), **{f"{FOLDER}/port-qa.json": json.dumps(other)})

    with pytest.raises(UserError, match=f"must have 'identifier' \"{ENTITY}\""):
        configure(tree)


def test_only_named_files_are_read() -> None:
    target, _ = target_of(ACME, "redeploy_service", entity=ENTITY, inputs={"reason": "x"})

    assert target.reads([*create().files, *create(env="prod").files]) == [
        f"{FOLDER}/port-qa.json",
        f"{FOLDER}/qa/config.json",
        f"{FOLDER}/values-qa.yaml",
    ]
    assert target.kind.folders(target.parts) == [FOLDER]


def test_create_is_refused_without_any_input() -> None:
    with pytest.raises(InvalidInput, match="Input 'Business unit' is missing"):
        plan_of(ACME, "create_service", EMPTY, inputs={})
