"""An action is in all the places where it has to be, and in none alone."""

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
from slipway.changes import create_service, registry
from slipway.changes.change import carry_out

ROOT = Path(__file__).resolve().parents[2]
CHANGES = sorted([create_service.ACTION, *registry.ACTIONS])


def test_given_the_actions_of_the_layer_when_compared_with_terraforms_then_they_are_the_same() -> (
    None
):
    with (ROOT / "terraform/actions.tf").open() as file:
        (declared,) = hcl2.load(file)["locals"]

    assert sorted(declared["actions"]) == CHANGES


def test_given_the_functions_when_terraforms_tests_run_then_each_has_an_archive() -> None:
    fixture = json.loads((ROOT / "terraform/tests/artifacts/artifacts.json").read_text())
    folders = {path.parent.name for path in ROOT.glob("functions/*/handler.py")}

    assert {name for name in fixture if not name.startswith("layer-")} == folders


@pytest.mark.parametrize("action", CHANGES)
def test_given_an_action_when_its_function_is_invoked_then_it_carries_out_that_action_alone(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    module = importlib.import_module(f"functions.{action}.handler")
    monkeypatch.setattr(module, "consume", lambda event, context, **wiring: told.update(wiring))
    inspect.unwrap(module.handler)({}, None)

    assert told == {"action": action, "act": carry_out}


@pytest.mark.parametrize("action", CHANGES)
def test_given_an_action_when_looked_up_in_the_docs_then_it_is_there(action: str) -> None:
    listed = re.findall(r"`actions/(\w+)\.json`", (ROOT / "port/README.md").read_text())

    assert listed.count(action) == 1
