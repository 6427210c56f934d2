"""The table at the end of `make plan`."""

import pytest

from scripts.permissions import actions
from scripts.planned_functions import rows
from tests.terraform.conftest import ROOT, Plan


@pytest.mark.parametrize("action", actions())
def test_plan_shows_each_action_with_its_own_resources(action: str, plans: dict[str, Plan]) -> None:
    shown = [row for row in rows(plans["hosted"]) if action in row[0]]

    assert shown == [
        (
            f"first-{action}",
            f"Kafka: {action}",
            f"first-{action}-eu-west-1",
            "duration, errors, lag, throttles",
        )
    ]


def test_plan_shows_the_callers_of_the_other_functions(plans: dict[str, Plan]) -> None:
    shown = {name: trigger for name, trigger, *_ in rows(plans["msk"])}

    assert {name: shown[f"second-{name}"] for name in ("check_catalog", "sweep_runs")} == {
        "check_catalog": "the apply",
        "sweep_runs": "EventBridge",
    }
    assert shown["second-remediation"] == "Step Functions"
    assert shown["second-report_pull_request"] == "API Gateway"
    assert shown["second-approval"] == "API Gateway; Kafka: decide_approval, run_ended"
    assert shown["second-health_checker"] == "Kafka: changes of entities"


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_page_names_the_function_of_each_action(page: str) -> None:
    text = (ROOT / page).read_text()

    assert [action for action in actions() if f"`…-{action}`" not in text] == []
