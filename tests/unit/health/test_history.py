"""The number of events in a remediation's execution history, as Terraform limits them."""

import json
from pathlib import Path
from typing import Any

import hcl2
import pytest
from slipway.health.repairing import LONGEST
from slipway.health.steps import _LOOK_AGAIN

ROOT = Path(__file__).resolve().parents[3] / "terraform"
MACHINE = ROOT / "modules/remediation/definition.asl.json"
PROBE = ["Probe", "Note finding", "Go on", "Wait", "Decide", "Go on"]
LOOK = ["Repair", "Go on", "Wait", "Decide", "Go on"]
PAUSE = ["Wait", "Decide", "Go on"]
# Entered and exited; a task is also scheduled, started and ended.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
EVENTS = {"Task": 5, "Choice": 2, "Wait": 2}


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, Any]]:
    text = MACHINE.read_text().replace("${retry}", "[]").replace("${invoke_timeout}", "1")
    found: dict[str, dict[str, Any]] = json.loads(text)["States"]
    return found


@pytest.fixture(scope="module")
def limits() -> dict[str, int]:
    (block,) = hcl2.loads((ROOT / "variables.remediation.tf").read_text())["locals"]
    found: dict[str, int] = block["remediation_events_of"]
    return found


def events(states: dict[str, dict[str, Any]], cycle: list[str]) -> int:
    """Count a cycle's events, if the machine can take the cycle."""
    for name, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        choices = [choice["Next"] for choice in states[name].get("Choices", [])]
        assert following in [states[name].get("Next"), *choices]
    return sum(EVENTS[states[name]["Type"]] for name in cycle)


def test_probe_adds_the_events_that_terraform_counts(
    states: dict[str, dict[str, Any]], limits: dict[str, int]
) -> None:
    assert events(states, PROBE) == limits["probe"]


def test_attempt_adds_the_events_that_terraform_counts(
    states: dict[str, dict[str, Any]], limits: dict[str, int]
) -> None:
    looks = LONGEST // _LOOK_AGAIN
    begin = EVENTS["Task"] + EVENTS["Choice"]
    pause = sum(EVENTS[states[name]["Type"]] for name in PAUSE)

    assert limits["attempt"] == looks * events(states, LOOK) + begin + pause


def test_event_reserve_covers_every_other_state(
    states: dict[str, dict[str, Any]], limits: dict[str, int]
) -> None:
    # A task that waits for a token is submitted, too.
    every = sum(EVENTS.get(state["Type"], 2) + 1 for state in states.values())

    assert limits["rest"] > 2 * every
