"""Executions of the remediation machine that were stopped from outside."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from slipway.approvals.models import REPAIR, Status
from slipway.approvals.store import ApprovalStore
from slipway.errors import PortUnavailable
from slipway.health.row import execution_name
from slipway.sweep.sweep import stopped_remediations

from functions.sweep_runs import handler as sweep
from tests.unit.approvals.conftest import make_approval
from tests.unit.health.remedy import KEY, MACHINE, SERVICE, World, executions, seconds

FIRST, SECOND = execution_name(KEY, 1), execution_name(KEY, 2)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("FAILED", "An internal error stopped"),
        ("ABORTED", "An operator stopped"),
        ("TIMED_OUT", "took too long"),
    ],
)
def test_stopped_execution_unlocks_and_reports_its_service(
    world: World, status: str, words: str
) -> None:
    world.become_unhealthy().until("Wait")
    world.locks.acquire(KEY, FIRST, "remediation")

    stopped_remediations().release(KEY, FIRST, status)

    assert (world.row.execution, world.holder()) == (None, None)
    assert words in world.entity["health_detail"]
    assert FIRST in world.entity["health_detail"]
    assert world.entity["health_status"] == "Degraded"
    assert list(executions()) == [FIRST]


def test_next_execution_starts_when_an_unlocked_service_changes(
    world: World,
) -> None:
    world.become_unhealthy().until("Wait")
    stopped_remediations().release(KEY, FIRST, "FAILED")
    world.now += seconds(1)

    world.become_unhealthy("Progressing").run()

    assert set(executions()) == {FIRST, SECOND}
    assert world.entity["health_status"] == "Healthy"


def test_own_write_about_a_stopped_execution_starts_nothing(world: World) -> None:
    world.become_unhealthy().until("Wait")
    before = dict(world.entity)
    stopped_remediations().release(KEY, FIRST, "FAILED")
    after, world.port.entities[SERVICE] = world.entity, before
    world.now += seconds(1)

    world.deliver(world.change(**after))

    assert list(executions()) == [FIRST]


def test_stopped_execution_starts_the_next_for_a_later_change(
    world: World,
) -> None:
    world.become_unhealthy().until("Wait")
    world.now += seconds(1)
    world.deliver(world.change(health_status="Progressing"))

    stopped_remediations().release(KEY, FIRST, "ABORTED")

    assert set(executions()) == {FIRST, SECOND}


def test_execution_that_fails_before_its_probe_starts_no_other(
    world: World,
) -> None:
    world.become_unhealthy()

    stopped_remediations().release(KEY, FIRST, "FAILED")

    assert list(executions()) == [FIRST]
    assert world.row.execution is None


def test_repeated_stop_event_does_nothing(world: World) -> None:
    world.become_unhealthy().until("Wait")
    stopped_remediations().release(KEY, FIRST, "FAILED")
    world.now += seconds(1)
    world.become_unhealthy("Progressing")
    written = len(world.port.writes)

    stopped_remediations().release(KEY, FIRST, "FAILED")

    assert len(world.port.writes) == written
    assert world.row.execution == SECOND


def test_repeated_stop_event_unlocks_the_service_after_an_outage(world: World) -> None:
    world.become_unhealthy().until("Wait")

    def fail(operation: str) -> None:
        raise PortUnavailable("Port is down.")

    world.port.fail = fail
    with pytest.raises(PortUnavailable):
        stopped_remediations().release(KEY, FIRST, "FAILED")
    world.port.fail = lambda _operation: None

    stopped_remediations().release(KEY, FIRST, "FAILED")

    assert world.row.execution is None


def test_repeated_stop_event_starts_the_next_execution(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.become_unhealthy().until("Wait")
    world.now += timedelta(seconds=1)
    world.deliver(world.change(health_status="Progressing"))

    def crash(*_arguments: Any) -> None:
        raise RuntimeError("out of time")

    with monkeypatch.context() as patched:
        patched.setattr("slipway.health.admission.start_execution", crash)
        with pytest.raises(RuntimeError):
            stopped_remediations().release(KEY, FIRST, "FAILED")
    assert (world.row.execution, world.row.started) == (SECOND, False)

    stopped_remediations().release(KEY, FIRST, "FAILED")

    assert set(executions()) == {FIRST, SECOND}


def test_stopped_execution_unlocks_a_deleted_service(
    world: World,
) -> None:
    world.become_unhealthy().until("Wait")
    del world.port.entities[SERVICE]

    stopped_remediations().release(KEY, FIRST, "TIMED_OUT")

    assert world.row.execution is None


def test_stopped_execution_withdraws_its_approval_request(
    world: World,
) -> None:
    world.become_unhealthy().until("Wait")
    approval = make_approval(
        id=f"{FIRST}.1", run_id=FIRST, action=REPAIR, expires_at=datetime(2999, 1, 1, tzinfo=UTC)
    )
    requests = ApprovalStore("approvals", "records")
    requests.create(approval, "")

    stopped_remediations().release(KEY, FIRST, "ABORTED")

    assert requests.get(approval.id).status is Status.CANCELLED
    (entity,) = world.port.upserted
    assert entity["properties"]["status"] == "Cancelled"
    assert entity["properties"]["run_url"].endswith("serviceEntity?identifier=shop")
    assert world.row.execution is None


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("machine", ["remediation", "approval"])
def test_sweep_handler_routes_a_stop_event_by_its_machine(
    world: World, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    calls: list[tuple[str, ...]] = []
    remediations = SimpleNamespace(release=lambda *of: calls.append(of))
    monkeypatch.setattr(sweep, "stopped_remediations", lambda: remediations)
    monkeypatch.setattr(sweep, "stopped", lambda *of: calls.append(of))
    context: Any = type(
        "Context",
        (),
        {
            "function_name": "sweep_runs",
            "memory_limit_in_mb": 128,
            "invoked_function_arn": "arn",
            "aws_request_id": "1",
        },
    )
    detail = {
        "stateMachineArn": MACHINE.replace("remediation", machine),
        "name": "e-1",
        "status": "FAILED",
        "input": json.dumps({"service": KEY, "execution": "e-1", "run_id": "r_1"}),
    }

    kind = "Step Functions Execution Status Change"
    sweep.handler({"detail-type": kind, "detail": detail}, context)

    expected = (KEY, "e-1", "FAILED") if machine == "remediation" else ("e-1", "FAILED")
    assert calls == [expected]


# -- the sweep: events that EventBridge did not deliver


def test_active_remediations_omit_those_without_an_execution(
    world: World,
) -> None:
    assert stopped_remediations().services_at_work() == []
    world.become_unhealthy().until("Wait")
    assert stopped_remediations().services_at_work() == [KEY]

    stopped_remediations().release(KEY, FIRST, "FAILED")

    assert stopped_remediations().services_at_work() == []


def test_sweep_unlocks_a_service_when_its_execution_has_ended(
    world: World,
) -> None:
    world.become_unhealthy().until("Wait")
    arn = f"{MACHINE.replace(':stateMachine:', ':execution:')}:{FIRST}"
    boto3.client("stepfunctions").stop_execution(executionArn=arn)

    stopped_remediations().check(KEY)

    assert world.row.execution is None
    assert "An operator stopped" in world.entity["health_detail"]


def test_sweep_leaves_a_running_remediation_alone(world: World) -> None:
    world.become_unhealthy().until("Wait")
    before = world.row

    stopped_remediations().check(KEY)

    assert world.row == before
