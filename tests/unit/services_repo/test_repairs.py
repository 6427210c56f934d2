"""Pull requests of remediations, which belong to no run of Port."""

from typing import Any

import pytest
import report

from tests.unit.services_repo.world import FOLDER, PORT_DATA, SERVICE, World, entity

pytestmark = pytest.mark.waits

REMEDIATION = "0a1b2c3d4e5f60718293a4b5c6d7e8f9-3"
KINDS = ["roll_back", "scale_up"]


def repair(world: World, kind: str = "roll_back", **changes: Any) -> dict[str, Any]:
    """The closed pull request of a repair of a service that is there."""
    world.entities[SERVICE] = entity(health_status="Degraded", replicas=2, image_tag="2.0.0")
    world.commit("main", {"image": {"tag": "1.4.0"}, "replicas": 3})
    head = {"ref": f"slipway/{kind}/{REMEDIATION}", "sha": "head-sha"}
    head["repo"] = {"full_name": "acme/services"}  # type: ignore[assignment]  # of JSON
    return world.pull(**{"body": "For humans.", "head": head, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_merged_repair_brings_the_figures_of_the_base_branch_and_touches_no_run(
    world: World, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main(world.closed(repair(world, kind), by="slipway[bot]")) == 0

    body = {"identifier": SERVICE, "properties": {"replicas": 3, "image_tag": "1.4.0"}}
    assert world.entity_writes == [(body, None)]
    assert world.entities[SERVICE]["properties"]["health_status"] == "Degraded"
    assert not any("/actions/runs" in call for call in world.calls)
    assert "There is no run to report to" in capsys.readouterr().out


def test_merged_repair_that_is_reported_again_by_its_number_changes_nothing_more(
    world: World,
) -> None:
    report.main(world.closed(repair(world)))

    assert report.main(world.job({"inputs": {"pull_request": "12"}})) == 0
    assert len(world.entity_writes) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_closed_repair_is_left_alone(world: World, kind: str) -> None:
    assert report.main(world.closed(repair(world, kind, merged=False))) == 0
    assert world.calls == []


@pytest.mark.parametrize(
    "changed",
    [
        [],
        [".github/workflows/slipway-report.yml"],
        [f"{FOLDER}/common_values.json", "apps/other/common_values.json"],
        [f"{FOLDER}/common_values.json", "README.md"],
        ["apps/README.md"],
        ["apps/other"],
    ],
)
def test_repair_that_people_made_something_else_of_is_left_alone(
    world: World, changed: list[str]
) -> None:
    pull = repair(world)
    world.changed = changed

    assert report.main(world.closed(pull)) == 0
    assert world.writes() == []


def test_repair_of_a_service_that_is_gone_is_left_alone(world: World) -> None:
    pull = repair(world)
    world.files.clear()

    assert report.main(world.closed(pull)) == 0
    assert world.writes() == []


def test_repair_of_a_service_that_the_catalogue_does_not_have_makes_no_entity(
    world: World,
) -> None:
    pull = repair(world)
    world.entities.clear()

    assert report.main(world.closed(pull)) == 0
    assert world.writes() == []


def test_repair_of_a_folder_that_names_another_service_fails(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = repair(world)
    world.commit("main", port_data={**PORT_DATA, "identifier": "another"})

    assert report.main(world.closed(pull)) == 1
    assert world.writes() == []
    assert "not certain which service" in capsys.readouterr().out


@pytest.mark.parametrize(
    "branch", ["slipway/roll_back/", "slipway/roll_back/a/b", "slipway/restart/x", "slipway/x"]
)
def test_branch_of_no_known_kind_fails_as_before(world: World, branch: str) -> None:
    pull = repair(world)
    pull["head"]["ref"] = branch

    assert report.main(world.closed(pull)) == 1
    assert world.calls == []
