"""Changes from both sources, on moto's DynamoDB and Step Functions."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from slipway.config import SubscriptionsConfig, load
from slipway.errors import RecordsFailed
from slipway.health import admission, change_consumer
from slipway.health.change_consumer import ChangeConsumer
from slipway.health.row import execution_name

from functions.health_checker.handler import handler
from tests.unit.health.remedy import (
    AUTOMATIONS,
    CHANGE_LOG,
    KEY,
    SERVICE,
    World,
    changed,
    executions,
)
from tests.unit.health.story import BEGIN

pytestmark = pytest.mark.waits

FIRST = execution_name(KEY, 1)
AUDIT = "arn:aws:states:eu-west-1:123456789012:stateMachine:acme-audit"
SUBSCRIPTION: dict[str, Any] = {
    "name": "audit",
    "state_machine": "acme-audit",
    "filter": {"blueprint": "service", "changed": ["replicas"]},
}


@pytest.fixture(params=[AUTOMATIONS, CHANGE_LOG])
def world(world: World, request: pytest.FixtureRequest) -> World:
    world.partition = request.param
    return world


def degraded(second: float = 0, service: str = SERVICE, **properties: Any) -> dict[str, Any]:
    """Make a record of a service that becomes Degraded, a number of seconds after the start."""
    after = {"health_status": "Degraded", "environment": "Test", **properties}
    at = BEGIN + timedelta(seconds=second)
    return changed({"health_status": "Healthy"}, after, at, entity=service)


def subscribe(monkeypatch: pytest.MonkeyPatch, *entries: dict[str, Any]) -> None:
    monkeypatch.setenv("SUBSCRIPTIONS", json.dumps(entries))
    load.cache_clear()
    boto3.client("stepfunctions").create_state_machine(
        name="acme-audit",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/acme",
    )


def skipped(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the reasons of the emitted metrics."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line["reason"] for line in lines if "ChangeSkipped" in line]


def refuse_to_start(monkeypatch: pytest.MonkeyPatch, module: Any = admission) -> None:
    def start(*_arguments: Any) -> None:
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "StartExecution")

    monkeypatch.setattr(module, "start_execution", start)


def test_degraded_service_starts_its_remediation(
    world: World,
) -> None:
    answer = world.deliver(degraded())

    assert answer == {"batchItemFailures": []}
    assert executions() == {FIRST: {"service": KEY, "execution": FIRST}}
    assert (world.row.execution, world.row.started) == (FIRST, True)


def test_thousand_changes_in_ten_batches_start_one_remediation(
    world: World,
) -> None:
    storm = [degraded(number / 1000, ttl=number) for number in range(1000)]

    answers = [world.deliver(*storm[start::10]) for start in range(10)]

    assert all(answer == {"batchItemFailures": []} for answer in answers)
    assert list(executions()) == [FIRST]
    assert world.row.offsets == {world.partition: 999}


def test_concurrent_batches_of_one_service_start_one_remediation(
    world: World,
) -> None:
    config: SubscriptionsConfig = load(SubscriptionsConfig)
    events = [world.event(*(degraded(n / 10 + b / 1000) for n in range(5))) for b in range(8)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda event: ChangeConsumer(config).handle(event), events))

    assert answers == [{"batchItemFailures": []}] * 8
    assert list(executions()) == [FIRST]


def test_redelivered_batch_starts_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    batch = world.event(degraded(1), degraded(2))
    world.read(batch)
    row = world.row

    world.read(batch)

    assert list(executions()) == [FIRST]
    assert world.row == row
    assert skipped(capsys) == ["Older"]


def test_redelivered_change_leaves_an_ended_remediation_ended(
    world: World,
) -> None:
    event = world.event(world.change(health_status="Degraded"))
    world.read(event)
    world.machine().run()

    world.read(event)

    assert list(executions()) == [FIRST]
    assert world.row.execution is None


def test_low_offset_starts_a_check_when_its_topic_was_recreated(world: World) -> None:
    world.offset = 1000
    world.become_unhealthy().run()
    world.offset = 0

    world.now += timedelta(minutes=1)
    world.become_unhealthy()

    assert world.row.execution == execution_name(KEY, 2)


def test_redelivery_starts_a_remediation_that_a_crash_prevented(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refuse_to_start(patched)
        with pytest.raises(RecordsFailed, match="ServiceUnavailable"):
            world.deliver(degraded())
    assert (world.row.execution, world.row.started, executions()) == (FIRST, False, {})

    assert world.deliver(degraded()) == {"batchItemFailures": []}

    assert list(executions()) == [FIRST]
    assert world.row.started


def test_redelivery_starts_no_second_execution_after_a_crash(
    world: World,
) -> None:
    world.deliver(degraded())
    world.store.update(KEY, lambda row: row.changed(started=False) if row else None)

    world.deliver(degraded())

    assert list(executions()) == [FIRST]
    assert world.row.started


def test_unordered_records_start_one_remediation(world: World) -> None:
    world.deliver(degraded(3), degraded(1), degraded(3))
    world.deliver(degraded(2))

    assert world.row.changes == 2
    assert list(executions()) == [FIRST]


def test_service_is_left_alone_when_healthy_again_within_a_batch(world: World) -> None:
    world.deliver(world.change(health_status="Degraded"), world.change(health_status="Healthy"))

    world.machine().run()

    assert world.port.writes == []
    assert world.probed == []


def test_change_is_examined_when_our_write_follows_in_the_batch(
    world: World,
) -> None:
    over = changed(
        {"health_status": "Degraded"},
        {"health_status": "Healthy", "health_check_id": "x"},
        BEGIN + timedelta(seconds=1),
    )

    world.deliver(degraded(), over)

    assert list(executions()) == [FIRST]


BEFORE = {"health_status": "Healthy"}
AFTER = {"health_status": "Degraded"}


NEEDS_NO_LOOK: list[tuple[Any, str]] = [
    (changed(BEFORE, AFTER | {"health_check_id": "x"}, BEGIN), "OwnWrite"),
    (changed(AFTER, AFTER, BEGIN), "NoChange"),
    (changed(BEFORE, AFTER, BEGIN, blueprint="team"), "OtherBlueprint"),
    (changed(BEFORE, {"health_status": "Missing"}, BEGIN), "NotSubscribed"),
    (changed(AFTER, AFTER | {"owner": "new"}, BEGIN), "NotSubscribed"),
    (changed(AFTER, None, BEGIN), "Deleted"),
    (changed(BEFORE, AFTER, BEGIN) | {"status": "FAILURE"}, "FailedChange"),
    (changed(BEFORE, AFTER, BEGIN) | {"action": "TIMER_EXPIRED"}, "Timer"),
    ({"action": "RESYNC", "resourceType": "integration"}, "Resync"),
    (changed(BEFORE, AFTER, BEGIN) | {"resourceType": "run"}, "OtherResource"),
    ({"resourceType": "entity", "diff": 5}, "UnknownShape"),
    ({"hello": "world"}, "UnknownShape"),
    ([1, 2], "UnknownShape"),
    (b"{not json", "UnknownShape"),
    (b"\xff\xfe", "UnknownShape"),
    (b"[" * 100_000, "UnknownShape"),
    (b"", "Tombstone"),
    (None, "Tombstone"),
]


def test_irrelevant_records_are_skipped_and_counted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for value, reason in NEEDS_NO_LOOK:
        assert world.deliver(value) == {"batchItemFailures": []}
        assert skipped(capsys) == [reason]

    assert executions() == {}


def poisoned_batch(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any] | None]:
    """Make changes of ten services; one, with two changes, cannot start an execution."""
    real = admission.launch

    def launch(store: Any, machine_arn: str, record: Any) -> None:
        if record.service == "service/bad":
            raise RuntimeError("unavailable")
        real(store, machine_arn, record)

    monkeypatch.setattr(change_consumer, "launch", launch)
    names = ["s0", "bad", "s1", "bad", *(f"s{number}" for number in range(2, 10))]
    return [*(degraded(second, name) for second, name in enumerate(names)), None]


STARTED = {execution_name(f"service/s{number}", 1) for number in range(10)}


def test_batch_names_records_of_failed_service_when_provisioned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTIAL_BATCH_RESPONSE", "true")
    load.cache_clear()

    answer = world.deliver(*poisoned_batch(monkeypatch))

    assert answer["batchItemFailures"] == [
        {"itemIdentifier": {"partition": world.partition, "offset": offset}} for offset in (1, 3)
    ]
    assert set(executions()) == STARTED


def test_batch_raises_when_one_service_fails_on_demand(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        batch = poisoned_batch(patched)
        with pytest.raises(RecordsFailed) as raised:
            world.deliver(*batch)
    assert str(raised.value) == (
        f"2 of 13 records failed. {world.partition}@1: RuntimeError: unavailable; "
        f"{world.partition}@3: RuntimeError: unavailable"
    )
    assert set(executions()) == STARTED

    assert world.deliver(*batch) == {"batchItemFailures": []}

    assert set(executions()) == STARTED | {execution_name("service/bad", 1)}


def test_batch_raises_when_every_change_fails_provisioned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTIAL_BATCH_RESPONSE", "true")
    load.cache_clear()
    refuse_to_start(monkeypatch)

    with pytest.raises(RecordsFailed, match=r"^2 of 2 records failed\."):
        world.deliver(degraded(0, "a"), degraded(0, "b"))


def test_replay_reports_why_a_change_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {**world.event(degraded()), "replay": True}
    with monkeypatch.context() as patched:
        refuse_to_start(patched)
        answer = ChangeConsumer(load(SubscriptionsConfig)).handle(event)

    (result,) = answer["replayed"]
    assert result["outcome"] == "failed"
    assert "ServiceUnavailable" in result["why"]
    assert ChangeConsumer(load(SubscriptionsConfig)).handle(event) == {
        "batchItemFailures": [],
        "replayed": [],
    }


def test_matching_change_starts_its_subscription_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, SUBSCRIPTION)
    scaled = changed({"replicas": 1}, {"replicas": 2}, BEGIN)

    world.deliver(scaled, scaled)
    world.deliver(scaled)

    assert list(executions(AUDIT).values()) == [
        {
            "schema_version": 1,
            "subscription": "audit",
            "blueprint": "service",
            "entity": SERVICE,
            "updated_at": "2026-11-23T10:00:00+00:00",
        }
    ]
    assert executions() == {}


def test_two_matching_changes_start_the_subscription_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, SUBSCRIPTION)

    for second in range(2):
        at = BEGIN + timedelta(seconds=second)
        world.deliver(changed({"replicas": second}, {"replicas": second + 1}, at))

    assert len(executions(AUDIT)) == 2


def test_two_subscriptions_of_one_machine_both_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, SUBSCRIPTION, SUBSCRIPTION | {"name": "again"})

    world.deliver(changed({"replicas": 1}, {"replicas": 2}, BEGIN))

    assert {each["subscription"] for each in executions(AUDIT).values()} == {"audit", "again"}


def test_change_starts_both_remediation_and_subscription(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, SUBSCRIPTION)

    world.deliver(degraded(replicas=5))

    assert list(executions()) == [FIRST]
    assert len(executions(AUDIT)) == 1


def test_missing_subscription_machine_does_not_stop_remediation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = SUBSCRIPTION | {"state_machine": "acme-gone"}
    subscribe(monkeypatch, entry)

    with pytest.raises(RecordsFailed, match="StateMachineDoesNotExist"):
        world.deliver(degraded(replicas=5))

    assert list(executions()) == [FIRST]


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_health_checker_handler_answers_for_its_batch(world: World) -> None:
    context: Any = SimpleNamespace(
        function_name="health_checker",
        memory_limit_in_mb=128,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:health_checker",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: 60_000,
    )

    assert handler(world.event(degraded()), context) == {"batchItemFailures": []}
    assert list(executions()) == [FIRST]
