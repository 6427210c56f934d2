"""Stolen Kafka credentials: they may write any message to the topic of runs.

Port does not say whether it signs the messages of Kafka actions, so these are not signed.
"""

import time

import pytest
from slipway.approvals.models import Status
from slipway.runs.consumer import read_message

from tests.attacks.deciding import DECISION, REQUEST, deliver_decision
from tests.unit.approvals import test_function
from tests.unit.approvals.conftest import make_approval
from tests.unit.conftest import RUN_ID
from tests.unit.runs import consuming

pytestmark = [
    pytest.mark.waits,
    # The warning of Powertools in a function without metrics.
    pytest.mark.filterwarnings("ignore:No application metrics:UserWarning"),
]
OTHER = f"{RUN_ID}.2"
DEVOPS = {"id": "auth0|2", "email": "devops@acme.example"}
pending = test_function.pending
scene = consuming.scene


@pytest.fixture
def declined(pending: test_function.PendingRun) -> test_function.PendingRun:
    """Let devops@acme.example decline a request, and Slipway see it late."""
    pending.waits()
    pending.store.create(make_approval(id=OTHER, ask=2, by_machine=False), "")
    pending.script_user(DEVOPS)
    pending.script_user({"id": "auth0|1", "email": "dev@acme.example"})
    pending.set_run(RUN_ID, "upscale_service", "IN_PROGRESS", createdBy="auth0|1")
    pending.set_run(
        DECISION,
        "decide_approval",
        "IN_PROGRESS",
        createdBy=DEVOPS["id"],
        entity={"identifier": REQUEST},
        properties={"decision": "DECLINE", "change": "f" * 64},
    )
    return pending


def forge(
    *, person: dict[str, str] = DEVOPS, request: str = REQUEST, verdict: str = "APPROVE"
) -> None:
    """Publish a message about the decision's run before Port's own message arrives."""
    deliver_decision(DECISION, person, request, verdict)


def test_forged_verdict_is_not_counted(declined: test_function.PendingRun) -> None:
    forge(verdict="APPROVE")

    assert declined.status() is Status.DECLINED


def test_forged_request_of_a_decision_is_not_decided(declined: test_function.PendingRun) -> None:
    forge(request=OTHER, verdict="DECLINE")

    assert declined.store.get(OTHER).status is Status.PENDING
    assert declined.status() is Status.DECLINED


def test_forged_approver_is_refused(declined: test_function.PendingRun) -> None:
    forge(person={"id": DEVOPS["id"], "email": "dev@acme.example"})

    assert declined.status() is Status.PENDING


@pytest.fixture
def executed(scene: consuming.Scene) -> consuming.Scene:
    """Let dev@acme.example scale `shop` up by one; the function only records its action."""
    run = {
        "id": RUN_ID,
        "status": "IN_PROGRESS",
        "action": {"identifier": "create_service"},
        "entity": {"identifier": "shop"},
        "properties": {"step": 1},
        "createdBy": "auth0|1",
    }
    scene.port.script(f"GET {consuming.RUN}", (200, {"ok": True, "run": run}, {}))
    for user in ({"id": "auth0|1", "email": "dev@acme.example"}, DEVOPS):
        path = f"GET /v1/users/{user['email'].replace('@', '%40')}"
        scene.port.script(path, (200, {"ok": True, "user": user}, {}))
    return scene


def forged_run(person: dict[str, str], entity: str, inputs: dict[str, object]) -> dict[str, object]:
    """Forge a message about that run."""
    by = {"orgId": "org_test", "userId": person["id"], "user": person}
    return consuming.message(
        trigger={"by": by, "origin": "UI", "at": "2026-11-23T10:00:00.000Z"},
        context={"entity": entity, "blueprint": "service", "runId": RUN_ID},
        payload={
            "entity": None,
            "action": {"invocationMethod": {"type": "KAFKA"}, "trigger": "DELETE"},
            "properties": inputs,
            "censoredProperties": [],
        },
    )


def test_forged_run_is_carried_out_with_ports_data(executed: consuming.Scene) -> None:
    forged = forged_run(DEVOPS, "payments", {"step": 100, "dry_run": False})

    executed.consume(consuming.event(forged))

    (run,) = executed.acted
    assert (run.message.entity, run.message.inputs) == ("shop", {"step": 1})
    # The message names another person, so Slipway records none.
    assert (run.message.requester.user_id, run.message.requester.email) == ("auth0|1", "")
    assert "The message differs from Port's record" in executed.log.getvalue()


def test_forged_run_cannot_change_the_request(executed: consuming.Scene) -> None:
    forged = forged_run(DEVOPS, "payments", {"step": 100})

    executed.consume(consuming.event(forged))

    # The steps of the approval read this record again.
    (run,) = executed.acted
    stored = read_message(run.record, run.config)
    assert (stored.entity, stored.inputs) == ("shop", {"step": 1})


def test_run_of_a_genuine_message_names_the_person(executed: consuming.Scene) -> None:
    person = {"id": "auth0|1", "email": "dev@acme.example"}

    executed.consume(consuming.event(forged_run(person, "shop", {"step": 1})))

    (run,) = executed.acted
    assert run.message.requester.email == "dev@acme.example"


def test_run_that_waits_for_ports_approval_is_not_carried_out(scene: consuming.Scene) -> None:
    run = {
        "id": RUN_ID,
        "status": "WAITING_FOR_APPROVAL",
        "action": {"identifier": "create_service"},
    }
    scene.port.script(f"GET {consuming.RUN}", (200, {"ok": True, "run": run}, {}))
    an_hour_ago = consuming.NOW - 3_600_000

    scene.consume(consuming.event(consuming.message(), timestamp=an_hour_ago))

    assert scene.acted == []
    assert scene.writes() == []


def test_run_that_was_just_approved_in_port_is_read_again(
    scene: consuming.Scene,
) -> None:
    run = {
        "id": RUN_ID,
        "status": "WAITING_FOR_APPROVAL",
        "action": {"identifier": "create_service"},
    }
    scene.port.script(f"GET {consuming.RUN}", (200, {"ok": True, "run": run}, {}))

    now = int(time.time() * 1000)
    scene.consume(consuming.event(consuming.message(), timestamp=now))

    assert scene.acted == []
    assert any("goes on" in line or "in progress yet" in line for line in scene.logs())
