"""Kinds whose identifiers do not give the files' place: Port's hints are verified in Git."""

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.catalog.loading import load_catalog
from slipway.catalog.planning import Situation, make_plan
from slipway.catalog.request import Request, Tree, find_target
from slipway.errors import UserError

from tests.catalogs.samples import tree_of

RESOURCE = """
identifier: "{name}"
parts:
  name: { pattern: "[a-z]+", message: "a word", example: shop }
  team: { pattern: "[a-z]+", message: "a team in lower case", example: pay }
repository: main
files: ["teams/{team}/{name}/**"]
metadata: "teams/{team}/{name}/port.json"
environment: "{{ .metadata.environment }}"
locate: { team: owner }
properties: { owner: "{{ .parts.team }}" }
"""
DELETE = "operation: delete\nconfirm: confirm\n"
FORM = {
    "identifier": "remove",
    "trigger": {
        "operation": "DELETE",
        "blueprintIdentifier": "thing",
        "userInputs": {"properties": {"confirm": {"type": "string"}}},
    },
}
BLUEPRINT = {"identifier": "thing", "schema": {"properties": {"owner": {"type": "string"}}}}
FILES = {
    "thing/resource.yaml": RESOURCE.encode(),
    "thing/blueprint.json": json.dumps(BLUEPRINT).encode(),
    "thing/remove/action.yaml": DELETE.encode(),
    "thing/remove/action.json": json.dumps(FORM).encode(),
}


def tree(identifier: str) -> Tree:
    said = {"identifier": identifier, "blueprint": "thing", "environment": "dev"}
    return tree_of(**{"teams/pay/shop/port.json": json.dumps(said), "teams/ops/shop/x": "x"})


def remove(hints: dict[str, Any], there: Tree) -> Any:
    request = Request(run_id="r_1", action="remove", entity="shop", inputs={"confirm": "shop"})
    target = find_target(load_catalog(FILES), request, hints)
    return make_plan(target, request, Situation(tree=there))


def test_hint_leads_to_the_files() -> None:
    assert remove({"owner": "pay"}, tree("shop")).files == {"teams/pay/shop/port.json": None}


@pytest.mark.parametrize("hints", [{}, {"owner": None}, {"owner": "../ops"}, {"owner": ["pay"]}])
def test_hint_is_refused_when_it_is_not_a_part(hints: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="Property 'owner' of 'shop' in Port does not give"):
        remove(hints, tree("shop"))


def test_hint_to_files_of_another_entity_is_refused() -> None:
    with pytest.raises(UserError, match="must have 'identifier' \"shop\""):
        remove({"owner": "pay"}, tree("other"))


def test_hint_to_another_teams_files_is_refused() -> None:
    with pytest.raises(UserError, match=r"teams/ops/shop/port\.json is missing"):
        remove({"owner": "ops"}, tree("shop"))


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("teams/pay/shop/a/b", {"team": "pay", "name": "shop"}),
        ("teams/pay/shop/port.json", {"team": "pay", "name": "shop"}),
        ("teams/pay/shop", None),
        ("teams/Pay/shop/a", None),
        ("x", None),
    ],
)
def test_path_leads_to_its_entity(path: str, parts: dict[str, str] | None) -> None:
    assert load_catalog(FILES).kinds["thing"].parts_at(path) == parts


def test_part_without_identifier_or_hint_is_a_fault(tmp_path: Path) -> None:
    from tests.catalogs.samples import faults_of

    files = {
        **FILES,
        "thing/resource.yaml": RESOURCE.replace("locate: { team: owner }\n", "").encode(),
    }

    assert "The identifier does not contain 'team'." in faults_of(files)[0]
