"""Text in any field of a form becomes one value of the files, or the run ends with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from slipway.catalog.planning import FilePlan, Plan, WorkflowPlan
from slipway.catalog.request import Tree
from slipway.errors import UserError

from tests.catalogs.samples import ACME, EMPTY, SHIPPED, catalog, files_of, plan_of, tree_of

HOSTILE = [
    "x\nadmin: true",
    "${path.module}",
    '"',
    "{{ .Values.x }}",
    "%{ if true }",
    "foo\n",
    "$(id)",
]
CREATES: dict[str, tuple[Path, dict[str, Any]]] = {
    "create_service": (
        SHIPPED,
        {
            "service_name": "shop", "owner": "a@acme.example", "team": "payments", "project": "p",
            "environment": "Test", "service_type": "job", "replicas": 1, "image_tag": "1.0",
            "values_format": "JSON", "common_values": {"replicas": 1}, "custom_values": {"a": 1},
        },
    ),
    "create_bucket": (
        SHIPPED,
        {
            "bucket_name": "abc", "team": "payments", "environment": "Test", "purpose": "p",
            "readers": ["arn:aws:iam::123456789012:role/reader"],
        },
    ),
    "acme": (
        ACME,
        {
            "unit": "pay", "team": "billing", "name": "abc", "env": "qa", "tier": "gold",
            "image": "1.0", "cost_center": "CC-0000", "language": "go", "slack_channel": "#abc",
            "replicas": 1, "regions": ["eu-west-1"], "on_call": "a@acme.example",
        },
    ),
}  # fmt: skip


def shape(value: Any) -> Any:
    """A document without its scalars."""
    match value:
        case dict():
            return {key: shape(inner) for key, inner in value.items()}
        case list():
            return [shape(inner) for inner in value]
    return None


def shapes(plan: FilePlan) -> dict[str, Any]:
    """The files of a plan: the documents without scalars, of others the number of lines."""
    found: dict[str, Any] = {}
    for path, text in plan.files.items():
        assert text is not None
        if path.endswith(".json"):
            found[path] = shape(json.loads(text))
        else:
            found[path] = (
                shape(yaml.safe_load(text)) if path.endswith(".yaml") else text.count("\n")
            )
    return found


def typed_into(value: Any, hostile: str) -> Any:
    """A field's value with hostile text in its place, of the same type."""
    if isinstance(value, dict):
        return {**value, next(iter(value)): hostile}
    return [hostile] if isinstance(value, list) else hostile


def planned(folder: Path, action: str, tree: Tree = EMPTY, **request: Any) -> Plan | None:
    """A plan; None if the request is refused with a sentence."""
    try:
        return plan_of(folder, action, tree, **request)
    except UserError as error:
        sentence = str(error)
    assert sentence.endswith("."), sentence
    return None


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, (_, inputs) in CREATES.items() for field in inputs]
)
def test_hostile_field_adds_nothing_to_a_create(name: str, field: str, value: str) -> None:
    folder, inputs = CREATES[name]
    action = "create_service" if folder == ACME else name

    plan = planned(folder, action, inputs={**inputs, field: typed_into(inputs[field], value)})

    if plan is not None:
        assert isinstance(plan, FilePlan)
        assert shapes(plan) == shapes(files_of(folder, action, inputs=inputs))


def day_2() -> list[tuple[str, str, str]]:
    """The create, action and text field of every action on an entity, of both catalogs."""
    found = []
    for name, (folder, _) in CREATES.items():
        for kind in catalog(folder).kinds.values():
            if folder == ACME or name in kind.actions:
                found += [
                    (name, action.identifier, field)
                    for action in kind.actions.values()
                    if not action.creates
                    for field, one in action.form.inputs.items()
                    if one.type in {"string", "array"}
                ]
    return found


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("name", "action", "field"), day_2())
def test_hostile_field_adds_nothing_to_an_entity(
    name: str, action: str, field: str, value: str
) -> None:
    folder, inputs = CREATES[name]
    made = files_of(folder, "create_service" if folder == ACME else name, inputs=inputs)
    tree = tree_of(made)

    plan = planned(folder, action, tree, entity=made.target.identifier, inputs={field: value})

    if isinstance(plan, WorkflowPlan):
        # GitHub passes an input as one text; the workflow reads it from its environment.
        assert value in plan.inputs.values()
    elif plan is not None:
        assert isinstance(plan, FilePlan)
        wanted = {path: shape(yaml.safe_load(tree.texts[path])) for path in plan.files}
        texts = {path: text or "" for path, text in plan.files.items()}
        assert {path: shape(yaml.safe_load(text)) for path, text in texts.items()} == wanted
