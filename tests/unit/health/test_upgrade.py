"""Upgrades and running remediations: new steps continue what an older release left."""

import json
from pathlib import Path

import boto3
import pytest

from tests.releases import RELEASES, ROOT, fill, read_machine
from tests.unit.health.remedy import KEY, Machine, World
from tests.unit.health.story import UNHEALTHY

CURRENT = ROOT / "terraform/modules/remediation/definition.asl.json"
DEFINITIONS = [*(release / "remediation.asl.json" for release in RELEASES), CURRENT]
CASES = [(file, state) for file in DEFINITIONS for state in read_machine(file).calls("function")]


@pytest.mark.parametrize(
    ("file", "state"), CASES, ids=[f"{file.parent.name}-{state}" for file, state in CASES]
)
def test_released_machine_understands_every_step_answer(
    world: World, file: Path, state: str
) -> None:
    machine = read_machine(file)
    world.look = lambda: UNHEALTHY
    execution = world.become_unhealthy().until("Repair").execution
    values = {
        "$.service": KEY,
        "$.execution": execution,
        "$.step.details.number": len(world.row.state.observations),
        "$.look.finding": UNHEALTHY.model_dump(),
        "$.step.details.decision": world.decision(granted=True),
    }
    event = fill(machine.payloads[state], values)

    answer = world.steps().run(json.loads(json.dumps(event)))

    assert answer
    assert answer["next"] in machine.understood


@pytest.mark.parametrize("release", RELEASES, ids=[release.name for release in RELEASES])
def test_row_of_a_release_without_keys_loses_its_execution(world: World, release: Path) -> None:
    row = json.loads((release / "remediation_item.json").read_text())
    boto3.client("dynamodb").put_item(TableName="remediations", Item=row)

    service, execution = row["service"]["S"], row["execution"]["S"]
    Machine(world, execution, service).run()

    stored = world.store.get(service)
    assert stored is not None
    assert stored.execution is None
