"""The member of the Port organisation: may edit entities of services, but not the base branch.

An entity's properties can start a health check, and can prevent a repair. They cannot start a
repair that the reviewed files or the installation's policy forbid.
"""

from typing import Any

import pytest

from tests.unit.health.remedy import KEY, World, port_data
from tests.unit.health.story import HEALTHY, UNHEALTHY, URL

pytestmark = pytest.mark.waits

SCALE_UP = {"kind": "scale_up", "wait_seconds": 5, "max_replicas": 10}


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a service in Production with two replicas, which is not repaired there."""
    world = World(monkeypatch)
    world.github.folder["portData.json"] = port_data(environment="Production")
    world.entity["environment"] = "Production"
    world.look = lambda: UNHEALTHY
    world.set_policy(strategies=[SCALE_UP, {"kind": "restart", "wait_seconds": 5}])
    return world


def replicas_proposed(world: World) -> list[Any]:
    return [text for change in world.github.proposed for text in change.files.values()]


def test_catalogue_environment_permits_no_repair(world: World) -> None:
    world.change(environment="Test", replicas=4)

    world.become_unhealthy().run()

    # With trust in the catalogue, the service would scale from 2 to 5.
    assert replicas_proposed(world) == []
    assert world.github.restarted == []
    assert "its metadata file has Production" in world.entity["health_detail"]


def test_environment_changed_after_an_approval_permits_no_repair(world: World) -> None:
    world.set_policy(
        strategies=[SCALE_UP],
        environments=["Staging", "Production"],
        approval_environments=["Production"],
    )
    world.change(environment="Staging")

    world.become_unhealthy().run()

    assert world.asked == []
    assert world.github.proposed == []


def test_catalogue_replicas_are_not_trusted(world: World) -> None:
    world.github.folder["portData.json"] = port_data(environment="Test")
    world.change(environment="Test", replicas=9)

    world.become_unhealthy().run()

    assert replicas_proposed(world) == ['{"replicas": 3}']


@pytest.mark.parametrize(
    "url",
    [
        "https://attacker.example/down",
        "https://my-service.test.attacker.example/health",
        "https://a.b.test/health",
        "https://test/health",
        "http://my-service.test/health",
        "https://my-service.test:8443/health",
        "https://my-service.test@attacker.example/health",
        "https://attacker.example#.test/health",
        "https://attacker.example/?.test/health",
        "https://attacker.example\\.test/health",
        "https://my-service.test\n.attacker.example/health",
    ],
)
def test_attackers_health_url_starts_no_repair(world: World, url: str) -> None:
    world.github.folder["portData.json"] = port_data(environment="Test")
    world.change(environment="Test", health_url=url)

    world.become_unhealthy().run()

    assert (world.github.proposed, world.github.restarted) == ([], [])
    assert world.row.service == KEY
    assert "`health.allowed`" in world.entity["health_detail"]


def test_probes_of_another_url_start_no_repair(world: World) -> None:
    world.github.folder["portData.json"] = port_data(environment="Test")
    world.change(environment="Test", health_url="https://attacker.example/down")
    machine = world.become_unhealthy().until("Probe")
    machine.advance()
    machine.until("Probe")

    # The second failed probe makes the service unhealthy; by then the URL is trusted.
    world.change(health_url=URL)
    machine.advance()
    world.look = lambda: HEALTHY
    machine.run()

    assert (world.github.proposed, world.github.restarted) == ([], [])
    assert world.entity["health_status"] == "Unknown"
    assert "was changed while it was probed" in world.entity["health_detail"]


def test_repair_is_not_merged_where_the_policy_forbids_it(world: World) -> None:
    world.set_policy(
        strategies=[SCALE_UP], environments=["Production"], auto_merge_environments=["Test"]
    )

    world.become_unhealthy().run()

    assert replicas_proposed(world) == ['{"replicas": 3}']
    assert world.github.merged == []
    assert "waits for a person to merge it" in world.entity["health_detail"]
