"""Repeated steps, and steps with concurrent writes."""

from datetime import timedelta
from typing import Any

import pytest
from slipway.errors import PortUnavailable, SlipwayError
from slipway.health.row import execution_name

from tests.unit.health.remedy import (
    KEY,
    World,
    executions,
    unhealthy_until_restarted,
)
from tests.unit.health.story import UNHEALTHY

FIRST, SECOND = execution_name(KEY, 1), execution_name(KEY, 2)
STATUS = "health_status"


# -- crashes and other executions


def test_repeated_finding_counts_once(
    world: World,
) -> None:
    machine = world.become_unhealthy().until("Probe")

    for _ in range(5):
        machine.advance(crash=True)

    assert len(world.row.state.observations) == 1


@pytest.mark.parametrize("crashes", [1, 3])
def test_repeating_every_step_gives_the_same_result(world: World, crashes: int) -> None:
    world.look = unhealthy_until_restarted(world)
    machine = world.become_unhealthy()

    while machine.next != "Done":
        for _ in range(crashes):
            machine.advance(crash=True)
        machine.advance()

    assert world.entity["health_detail"] == "The service answers again after: restart."
    assert set(world.github.restarted) == {f"{FIRST}-1"}
    assert len(world.row.interventions) == 1
    assert world.row.execution is None


@pytest.mark.parametrize("step", ["decide", "repair", "finish", "anything"])
def test_step_does_nothing_when_another_execution_is_current(world: World, step: str) -> None:
    old = world.become_unhealthy().run()
    world.become_unhealthy()
    written = len(world.port.writes)

    assert old.take(step) == {"next": "Done"}
    assert len(world.port.writes) == written
    assert world.row.execution == SECOND


def test_step_does_nothing_when_the_service_has_no_row(world: World) -> None:
    event = {"service": "never-seen", "execution": "e-1"}
    assert world.steps().run({"step": "decide", **event}) == {"next": "Done"}


def test_step_of_another_release_is_refused(world: World) -> None:
    machine = world.become_unhealthy()

    with pytest.raises(SlipwayError, match="does not have the step 'dance'"):
        machine.take("dance")


def test_step_writes_no_state_when_another_execution_takes_over(
    world: World,
) -> None:
    machine = world.become_unhealthy()

    def take_over(operation: str) -> None:
        world.port.fail = lambda _operation: None
        world.store.update(
            KEY, lambda row: row.changed(execution=SECOND, number=2) if row else None
        )

    world.port.fail = take_over

    with pytest.raises(SlipwayError, match="taken over the service"):
        machine.advance()
    assert world.row.execution == SECOND


@pytest.mark.parametrize("operation", ["get_entity", "update_entity"])
def test_remediation_survives_a_port_failure_at_any_call(world: World, operation: str) -> None:
    world.look = lambda: UNHEALTHY
    machine = world.become_unhealthy()
    failures = 0

    while machine.next != "Done":
        for nth in range(4):
            calls = 0

            def fail(called: str, nth: int = nth) -> None:
                nonlocal calls
                if called == operation:
                    calls += 1
                    if calls == nth + 1:
                        raise PortUnavailable("Port is down.")

            world.port.fail = fail
            try:
                machine.advance(crash=True)
            except PortUnavailable:
                failures += 1
            if world.row.execution != FIRST:
                break
        world.port.fail = lambda _operation: None
        machine.advance()

    assert failures > 5
    assert world.entity[STATUS] == "Degraded"
    assert "No repair is left to try" in world.entity["health_detail"]
    assert len(set(world.github.issues)) == 1
    assert len(world.alerts()) == 1
    assert (len(world.row.interventions), len(world.row.escalations)) == (1, 1)
    assert world.row.execution is None


def test_correction_counts_when_its_last_call_is_repeated(
    world: World,
) -> None:
    machine = world.become_unhealthy().until("Finish")

    def fail_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity[STATUS] == "Healthy":
            raise PortUnavailable("Port is down.")

    world.port.fail = fail_after_the_report
    with pytest.raises(PortUnavailable):
        machine.advance()
    world.port.fail = lambda _operation: None
    machine.run()

    assert world.entity[STATUS] == "Healthy"
    assert len(world.row.interventions) == 1


# -- concurrent changes


def test_change_after_the_last_probe_starts_another_execution(
    world: World,
) -> None:
    machine = world.become_unhealthy().until("Finish")

    def change_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity[STATUS] == "Healthy":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            world.deliver(world.change(health_status="Degraded"))

    world.port.fail = change_after_the_report
    machine.advance()

    assert set(executions()) == {FIRST, SECOND}
    assert (world.row.execution, world.row.started) == (SECOND, True)
    assert world.row.state.found == "Degraded"


def test_change_before_the_last_probe_starts_no_other_execution(
    world: World,
) -> None:
    machine = world.become_unhealthy()
    world.now += timedelta(seconds=1)
    world.deliver(world.change(health_status="Progressing"))

    machine.run()

    assert list(executions()) == [FIRST]
    assert world.row.execution is None


def written_over(world: World) -> Any:
    """Let Slipway's final report overwrite another writer's change that it did not see."""
    machine = world.become_unhealthy("Progressing").until("Finish")
    records: list[Any] = []

    def change_before_the_report(operation: str) -> None:
        if operation == "update_entity":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            records.append(world.change(health_status="Degraded"))
            world.now += timedelta(seconds=1)

    world.port.fail = change_before_the_report
    return machine, records


@pytest.mark.parametrize("early", [True, False])
def test_overwritten_change_is_restored_and_examined(world: World, early: bool) -> None:
    machine, records = written_over(world)
    before = world.port.fail

    def arrive(operation: str) -> None:
        if operation == "get_entity" and records and early:
            world.deliver(*records)
            records.clear()
        elif operation == "update_entity":
            before(operation)
            world.port.fail = arrive

    def both(operation: str) -> None:
        before(operation)
        arrive(operation)

    world.port.fail = both
    machine.advance()
    world.port.fail = lambda _operation: None
    assert world.entity[STATUS] == "Healthy"
    if not early:
        world.deliver(*records)
    world.look = unhealthy_until_restarted(world)

    assert world.row.execution == SECOND
    second = world.machine()
    second.advance()

    assert world.entity[STATUS] == "Degraded"
    assert world.entity["health_check_id"].startswith(f"{SECOND}.")
    second.run()
    assert world.github.restarted == [f"{SECOND}-1"]
    assert world.entity["health_detail"] == "The service answers again after: restart."


def test_recovered_service_is_left_alone_at_the_next_remediation(
    world: World,
) -> None:
    world.become_unhealthy().run()
    written = len(world.port.writes)
    world.now += timedelta(minutes=10)
    machine = world.become_unhealthy()
    world.now += timedelta(seconds=1)
    world.change(health_status="Healthy")

    machine.run()

    assert machine.path == ["Decide", "Finish"]
    assert len(world.port.writes) == written


def test_overwritten_change_is_not_restored_in_mode_off(
    world: World,
) -> None:
    machine, records = written_over(world)
    machine.advance()
    world.deliver(*records)
    written = len(world.port.writes)
    world.set_policy(mode="off")

    world.machine().run()

    assert len(world.port.writes) == written


def test_repeated_step_starts_the_next_execution_after_a_crash(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = world.become_unhealthy().until("Finish")

    def change_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity[STATUS] == "Healthy":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            monkeypatch.setattr("slipway.health.change_consumer.launch", lambda *_arguments: None)
            world.deliver(world.change(health_status="Degraded"))

    def crash(*_arguments: Any) -> None:
        raise RuntimeError("out of time")

    world.port.fail = change_after_the_report
    with monkeypatch.context() as patched:
        patched.setattr("slipway.health.admission.start_execution", crash)
        with pytest.raises(RuntimeError):
            machine.advance()
    assert (world.row.execution, world.row.started) == (SECOND, False)

    assert machine.advance() == "Done"

    assert set(executions()) == {FIRST, SECOND}
    assert world.row.started
