"""Reports of adoptions, whose pull requests have no run."""

from typing import Any

import pytest

from tests.unit.reports.world import (
    PORT_DATA,
    PR_URL,
    SERVICE,
    World,
    acme_service,
    entity,
)

pytestmark = pytest.mark.waits


def adoption(world: World, key: str = f"service/{SERVICE}", **changes: Any) -> None:
    """Make the merged pull request that adds the metadata of an existing service."""
    world.commit(port_data={**PORT_DATA, "run_id": "adopted"})
    world.pull(head={"ref": f"slipway/adopt/{key}", "repo": {"id": 7}}, **changes)


def test_merged_adoption_writes_the_entity(world: World) -> None:
    adoption(world)

    outcome = world.report()

    assert outcome.status is None
    assert "is up to date in Port" in outcome.message
    assert world.properties["owner"] == "dev@acme.example"
    assert world.properties["replicas"] == 2
    # This status lets Slipway run a first health check.
    assert world.properties["health_status"] == "Progressing"
    assert world.properties["pr_url"] == PR_URL
    assert not any("/actions/runs" in call for call in world.calls)


def test_adoption_keeps_ports_health_status(world: World) -> None:
    world.entities[SERVICE] = entity(health_status="Healthy", sync_status="Synced")
    adoption(world)

    world.report()

    assert world.properties["health_status"] == "Healthy"
    assert world.properties["sync_status"] == "Synced"
    assert world.properties["owner"] == "dev@acme.example"


def test_adoption_of_another_repositorys_entity_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = acme_service(world, monkeypatch)
    world.pull(head={"ref": f"slipway/adopt/service/{identifier}", "repo": {"id": 7}})
    world.keys = ("pay",)

    outcome = world.report()

    assert "belongs to another repository" in outcome.message
    assert world.writes() == []


@pytest.mark.parametrize("changes", [{"merged": False}, {"base": {"ref": "x", "repo": {"id": 7}}}])
def test_adoption_that_was_not_merged_is_left_alone(world: World, changes: dict[str, Any]) -> None:
    adoption(world, **changes)

    world.report()

    assert world.writes() == []


@pytest.mark.parametrize("key", ["service/other", "bucket/x", "unknown/x", "service/../x", "x"])
def test_adoption_of_an_unnamed_entity_writes_nothing(world: World, key: str) -> None:
    adoption(world, key)

    outcome = world.report()

    assert outcome.status is None
    assert world.writes() == []
