"""Stolen Port credentials: they may write every entity, and report any service as unhealthy.

A shared fault (the prober's resolver or NAT gateway) has the same effect. Slipway then repairs at
most a few services, and notifies people once.
"""

from datetime import datetime, timedelta

import pytest
from slipway.health.addresses import ProbeLimits
from slipway.health.canary import look_at
from slipway.health.finding import Expectation

from tests.unit.health.remedy import SERVICE, Machine, World, changed
from tests.unit.health.story import UNHEALTHY, URL

pytestmark = pytest.mark.waits

SERVICES = [SERVICE, *(f"shop-{number}" for number in range(11))]


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """Make twelve services that do not answer."""
    world = World(monkeypatch)
    healthy = dict(world.port.entities[SERVICE])
    world.port.entities = {service: dict(healthy) for service in SERVICES}
    world.look = lambda: UNHEALTHY
    world.set_policy(max_repairs=3)
    return world


def all_degraded(world: World) -> list[Machine]:
    """Report every service as Degraded; return the executions that start."""
    machines = []
    for service in SERVICES:
        entity = world.port.entities[service]
        before = dict(entity)
        entity["health_status"] = "Degraded"
        world.deliver(changed(before, entity, world.now, entity=service))
        row = world.store.get(f"service/{service}")
        assert row is not None
        machines.append(Machine(world, row.execution or "", row.service))
    return machines


def run_all(machines: list[Machine]) -> None:
    """Take one step of each execution in turn, as concurrent executions do."""
    while going := [machine for machine in machines if machine.next != "Done"]:
        for machine in going:
            machine.advance()


def repairs(world: World) -> list[tuple[datetime, str]]:
    """Return when repairs began, and of which service, in order."""
    rows = {service: world.store.get(f"service/{service}") for service in SERVICES}
    return sorted(
        (attempt.began_at, service)
        for service, row in rows.items()
        if row
        for attempt in row.state.attempts
    )


def test_repairs_over_all_services_are_limited(world: World) -> None:
    run_all(all_degraded(world))

    # Without the limit, all twelve services would restart within two seconds.
    moments = [moment for moment, _ in repairs(world)]
    assert len(moments) >= 3
    assert all(
        later - earlier >= timedelta(minutes=10)
        for earlier, later in zip(moments, moments[3:], strict=False)
    )


def test_repair_limit_is_notified_once(world: World) -> None:
    machines = all_degraded(world)

    run_all(machines)

    alerts, repaired = world.alerts(), {service for _, service in repairs(world)}
    assert len([alert for alert in alerts if "pauses further repairs" in alert]) == 1
    # One more for each service whose repair failed.
    assert len(alerts) == 1 + len(repaired)
    assert len(world.github.issues) == len(repaired)
    left = [world.port.entities[service] for service in SERVICES if service not in repaired]
    assert left
    assert all("`remediation.max_repairs`" in entity["health_detail"] for entity in left)
    assert {entity["health_status"] for entity in world.port.entities.values()} == {"Degraded"}


def test_limited_service_is_repaired_when_the_limit_allows(world: World) -> None:
    machines = all_degraded(world)[:4]

    run_all(machines)

    assert {service for _, service in repairs(world)} == set(SERVICES[:4])


def test_own_network_failure_repairs_nothing(world: World) -> None:
    def no_resolver(_host: str, _port: int) -> list[str]:
        raise OSError

    limits = ProbeLimits(canary_url="https://canary.example/")
    world.look = lambda: look_at(URL, Expectation(), limits, resolve=no_resolver)
    machines = all_degraded(world)

    run_all(machines)

    assert world.github.restarted == []
    assert {entity["health_status"] for entity in world.port.entities.values()} == {"Unknown"}
    (alert,) = world.alerts()
    assert "canary" in alert
    assert world.github.issues == []
