"""The automations' runs that publish changes are ended afterwards, as a best effort."""

import json
from datetime import timedelta
from typing import Any

import pytest
from slipway.config import SubscriptionsConfig, load
from slipway.errors import (
    ConfigurationError,
    PortError,
    PortUnavailable,
    RecordsFailed,
    RunEnded,
    SlipwayError,
)
from slipway.health import admission
from slipway.health.automations import end_runs
from slipway.health.change_consumer import ChangeConsumer
from slipway.health.row import execution_name

from tests.unit.health.remedy import SERVICE, World, changed, executions, own_run
from tests.unit.health.story import BEGIN

pytestmark = pytest.mark.waits

OWN = frozenset({"service_health_changes"})


def degraded(milliseconds: int = 0, service: str = SERVICE) -> dict[str, Any]:
    at = BEGIN + timedelta(milliseconds=milliseconds)
    return changed({"health_status": "Healthy"}, {"health_status": "Degraded"}, at, entity=service)


def test_automation_runs_end_after_their_changes(world: World) -> None:
    unsubscribed = changed({"owner": "a"}, {"owner": "b"}, BEGIN)

    world.deliver(degraded(), unsubscribed, degraded(1, "other"))

    assert sorted(world.port.ends) == [own_run(0), own_run(1), own_run(2)]
    assert len(executions()) == 2


def test_thousand_events_of_an_entity_start_one_execution(world: World) -> None:
    storm = [degraded(number) for number in range(1000)]

    for start in range(0, 1000, 100):
        assert world.deliver(*storm[start : start + 100]) == {"batchItemFailures": []}

    assert list(executions()) == [execution_name(f"service/{SERVICE}", 1)]
    assert len(world.port.ends) == 1000


def test_run_stays_open_when_its_change_starts_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(admission, "start_execution", fail)
        with pytest.raises(RecordsFailed):
            world.deliver(degraded())
    assert world.port.ends == {}

    world.deliver(degraded())

    assert list(world.port.ends) == [own_run(1)]


@pytest.mark.parametrize("action", ["upscale_service", "health", "scaling_changes"])
def test_run_of_another_action_is_not_ended(world: World, action: str) -> None:
    world.port.action = action

    world.deliver(degraded())

    assert world.port.ends == {}
    assert len(executions()) == 1


def test_runs_of_a_subscriptions_automation_are_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"name": "audit", "state_machine": "acme", "filter": {"blueprint": "team"}}
    monkeypatch.setenv("SUBSCRIPTIONS", json.dumps([entry]))
    load.cache_clear()
    world.port.action = "audit_changes"

    ChangeConsumer(load(SubscriptionsConfig)).handle(world.event(degraded()))

    assert list(world.port.ends) == [own_run(0)]


@pytest.mark.parametrize("run_id", [5, None, "wfnr_1", "../../x", ["r_1"]])
def test_malformed_run_id_is_ignored(world: World, run_id: object) -> None:
    event = world.event({"resourceType": "entity", "context": {"automationRunId": run_id}})

    assert ChangeConsumer(load(SubscriptionsConfig)).handle(event) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    "error",
    [
        PortUnavailable("Port answered 429."),
        PortError(403, "missing_permissions", "No."),
        RunEnded("It has ended."),
        ConfigurationError("The base URL is wrong."),
    ],
)
@pytest.mark.parametrize("operation", ["get_run", "update_run"])
def test_batch_succeeds_when_a_run_cannot_be_ended(
    world: World, operation: str, error: SlipwayError
) -> None:
    def fail(name: str) -> None:
        if name == operation:
            raise error

    world.port.fail = fail

    assert world.deliver(degraded()) == {"batchItemFailures": []}
    assert len(executions()) == 1


def test_no_more_runs_are_ended_when_port_throttles(world: World) -> None:
    asked: list[str] = []

    def throttle(name: str) -> None:
        asked.append(name)
        raise PortUnavailable("Port answered 429.")

    world.port.fail = throttle
    port: Any = world.port

    assert end_runs([own_run(number) for number in range(100)], OWN, port, 60) == 0

    assert len(asked) <= 8


def test_no_runs_are_ended_when_time_is_up(world: World) -> None:
    port: Any = world.port

    assert end_runs([own_run(1)], OWN, port, -1) == 0
    assert world.port.ends == {}


def test_ended_run_is_not_written(world: World) -> None:
    world.port.ends = {own_run(1): ("SUCCESS", "")}
    port: Any = world.port

    assert end_runs([own_run(1), own_run(1)], OWN, port, 60) == 1
    assert list(world.port.ends) == [own_run(1)]
