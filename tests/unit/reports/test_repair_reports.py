"""Reports of repairs, whose pull requests have no run."""

from typing import Any

import pytest

from tests.unit.reports.world import (
    FOLDER,
    SERVICE,
    World,
    acme_service,
    deployed,
)

pytestmark = pytest.mark.waits


def repair(world: World, kind: str, **changes: Any) -> None:
    """Make the merged pull request of a repair of an existing service."""
    world.entities[SERVICE] = deployed(health_status="Degraded", replicas=2, image_tag="2.0.0")
    world.commit({"image": {"tag": "1.4.0"}, "replicas": 3})
    head = {"ref": f"slipway/{kind}/{'a' * 32}-3-1", "repo": {"id": 7}}
    world.pull(head=head, **changes)


@pytest.mark.parametrize("kind", ["roll_back", "scale_up"])
def test_merged_repair_writes_figures_of_the_base_branch(world: World, kind: str) -> None:
    repair(world, kind)

    outcome = world.report()

    body = {"identifier": SERVICE, "properties": {"replicas": 3, "image_tag": "1.4.0"}}
    assert world.entity_writes == [(body, None)]
    assert world.properties["health_status"] == "Degraded"
    assert outcome.status is None
    assert not any("/actions/runs" in call for call in world.calls)


@pytest.mark.parametrize("changes", [{"merged": False}, {"base": {"ref": "x", "repo": {"id": 7}}}])
def test_repair_that_was_not_merged_is_left_alone(world: World, changes: dict[str, Any]) -> None:
    repair(world, "roll_back", **changes)

    world.report()

    assert world.writes() == []


@pytest.mark.parametrize(
    "changed",
    [
        [],
        [".github/workflows/slipway-report.yml"],
        [f"{FOLDER}/common_values.json", "apps/other/common_values.json"],
        [f"{FOLDER}/common_values.json", "README.md"],
        ["apps/README.md"],
        ["apps/../x/y"],
        [f"{FOLDER}/{number}" for number in range(101)],
    ],
)
def test_repair_of_more_than_one_service_is_left_alone(world: World, changed: list[str]) -> None:
    repair(world, "roll_back")
    world.changed = changed

    world.report()

    assert world.writes() == []


def test_repair_of_a_deleted_service_is_left_alone(world: World) -> None:
    repair(world, "roll_back")
    world.files.clear()

    world.report()

    assert world.writes() == []


def test_repair_is_reported_when_the_repository_names_a_part(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = acme_service(world, monkeypatch)
    world.pull(head={"ref": f"slipway/roll_back/{'a' * 32}-3-1", "repo": {"id": 7}})

    outcome = world.report()

    assert f"Service {identifier} is up to date in Port." in outcome.message
    assert world.entities[identifier]["properties"]["replicas"] == 4
