"""Stolen Kafka credentials: they may publish any record on the topics that Slipway reads.

Such a record can start a health check. It cannot prevent one, and it cannot start a repair of a
service that Port does not show as unhealthy.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slipway.health.limit import INSTALLATION, InstallationRow
from slipway.health.store import Rows

from tests.unit.health.remedy import KEY, World, changed, executions, unhealthy_until_restarted
from tests.unit.health.story import UNHEALTHY

pytestmark = pytest.mark.waits

FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def forged(status: str = "Degraded", at: datetime = FAR) -> dict[str, Any]:
    """Forge a record of a change that was not made, with arbitrary times."""
    return changed({"health_status": "Missing"}, {"health_status": status}, at)


def test_forged_record_dated_2099_does_not_hide_a_change(world: World) -> None:
    world.deliver(forged())
    world.machine().run()
    first = world.row.number

    world.now += timedelta(minutes=1)
    world.look = unhealthy_until_restarted(world)
    world.become_unhealthy().run()

    assert world.row.number == first + 1
    assert world.entity["health_detail"] == "The service answers again after: restart."


def test_forged_record_does_not_hide_a_change_of_its_batch(world: World) -> None:
    real = world.change(health_status="Degraded")

    world.deliver(real, forged("Healthy"))

    assert len(executions()) == 1


def test_forged_record_does_not_hide_a_change_in_progress(world: World) -> None:
    machine = world.become_unhealthy().until("Finish")
    world.deliver(forged())

    def change_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity["health_status"] == "Healthy":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            world.deliver(world.change(health_status="Degraded"))

    world.port.fail = change_after_the_report
    machine.advance()

    assert len(executions()) == 2


@pytest.mark.parametrize("at", [FAR, datetime(1970, 1, 1, tzinfo=UTC)])
def test_record_time_is_not_stored(world: World, at: datetime) -> None:
    world.deliver(forged(at=at))
    world.machine().run()

    row = world.row
    assert row.seen == row.closed_at == row.state.started_at == world.now
    assert str(at.year) not in row.model_dump_json()


def test_port_time_in_the_future_is_stored_as_now(world: World) -> None:
    machine = world.become_unhealthy().until("Finish")
    world.port.now = lambda: FAR

    machine.run()

    assert world.row.settled_at == world.now


def test_forged_record_cannot_change_the_installation_limit(world: World) -> None:
    row = InstallationRow(version=1)
    Rows("remediations", InstallationRow).update(INSTALLATION, lambda _row: row)
    record = changed({}, {"health_status": "Degraded"}, FAR, entity=INSTALLATION)

    world.deliver(record)

    assert Rows("remediations", InstallationRow).get(INSTALLATION) == row.changed(version=2)
    assert executions() == {}


def test_forged_records_restart_no_healthy_service(world: World) -> None:
    world.look = lambda: UNHEALTHY

    world.deliver(forged())
    world.machine().run()

    assert world.entity["health_status"] == "Healthy"
    assert world.github.restarted == []


def test_forged_records_do_not_cool_a_service_down(world: World) -> None:
    world.become_unhealthy().run()
    for _ in range(5):
        world.now += timedelta(minutes=1)
        world.deliver(forged())
        world.machine().run()

    world.look = unhealthy_until_restarted(world)
    machine = world.become_unhealthy().run()

    assert world.entity["health_status"] == "Healthy"
    assert "Repair" in machine.path
    assert world.row.service == KEY
