"""The approval function after a run or its execution ends. Port is a real HTTP server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from slipway.approvals import cleanup
from slipway.approvals.function import approval_function
from slipway.approvals.models import MAX_COMMENT, Status
from slipway.approvals.store import ApprovalStore
from slipway.config import load
from slipway.errors import InvalidInput, NotAnApprover
from slipway.port.message import EndedRun
from slipway.runs import clients
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.sweep.sweep import stopped

from functions.approval.handler import handler
from tests.fakes.repository import FakeRepository
from tests.scripted import Answer, ScriptedServer
from tests.unit.approvals.conftest import make_approval
from tests.unit.conftest import RUN_ID, make_message
from tests.unit.runs.consuming import event

pytestmark = pytest.mark.waits

NOT_FOUND = {"ok": False, "error": "not_found"}
OWN = "r_automation000001"
NODE = "wfnr_0123456789abcdef"
NODE_PATH = f"/v1/workflows/nodes/runs/{NODE}"
NOW = datetime.now(UTC)


class PendingRun:
    """A run that waits for its approval."""

    def __init__(self, port: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = port
        self.repository = FakeRepository()
        self.ended_waits: list[tuple[str, str]] = []
        self.ledger = Ledger("runs")
        self.locks = ServiceLocks("locks", lambda owner: False)
        self.store = ApprovalStore("approvals", "records")
        self.set_run(RUN_ID, "upscale_service", "IN_PROGRESS")
        self.set_run(OWN, "upscale_service_ended", "IN_PROGRESS")
        monkeypatch.setattr(cleanup, "services_repository", lambda config, place: self.repository)
        monkeypatch.setattr("slipway.approvals.decisions.end_wait", self.end_wait)

    def end_wait(self, token: str, following: str) -> bool:
        self.ended_waits.append((token, following))
        return True

    def set_run(self, run_id: str, action: str, status: str, **fields: object) -> None:
        run = {"id": run_id, "status": status, "action": {"identifier": action}, **fields}
        route = f"/v1/actions/runs/{run_id}"
        self.port.script(f"GET {route}", (200, {"ok": True, "run": run}, {}))
        self.port.script(f"PATCH {route}", (200, {"ok": True, "run": run}, {}))
        self.port.script(f"POST {route}/logs", (201, {"ok": True, "runLog": {}}, {}))

    def script_user(self, user: dict[str, str]) -> None:
        """Let Port return a person."""
        path = user["email"].replace("@", "%40")
        self.port.script(f"GET /v1/users/{path}", (200, {"ok": True, "user": user}, {}))

    def waits(self, **changes: Any) -> None:
        self.ledger.open(make_message(action="upscale_service", entity="shop"))
        self.ledger.record_target(RUN_ID, "service/shop", "services")
        self.ledger.record_ask(RUN_ID, 1)
        self.locks.acquire("service/shop", RUN_ID)
        times = {"created_at": NOW, "expires_at": NOW + timedelta(hours=1)}
        approval = make_approval(**times, **changes)
        self.store.create(approval, "")
        self.store.wait(approval.id, "token-1", reminded=False)

    def updates(self, run_id: str = RUN_ID) -> list[Any]:
        return self.port.bodies(f"PATCH /v1/actions/runs/{run_id}")

    def holder(self) -> Any:
        item = self.locks._table.get_item(Key={"service": "service/shop"}).get("Item", {})
        return item.get("owner")

    def status(self) -> Status:
        return self.store.get(f"{RUN_ID}.1").status


@pytest.fixture
def pending(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[PendingRun]:
    credentials = json.dumps({"client_id": "id", "client_secret": "secret-of-port"})
    boto3.client("secretsmanager").create_secret(Name="slipway/port", SecretString=credentials)
    clients.port_client.cache_clear()
    with ScriptedServer().running() as port:
        monkeypatch.setenv("PORT_BASE_URL", port.url)
        load.cache_clear()
        token = {"ok": True, "accessToken": "token-of-port", "expiresIn": 10_800}
        port.script("POST /v1/auth/access_token", (200, token, {}))
        entity = {"ok": True, "entity": {"identifier": f"{RUN_ID}.1"}}
        port.script("POST /v1/blueprints/approval_request/entities", (200, entity, {}))
        yield PendingRun(port, monkeypatch)
    clients.port_client.cache_clear()


def test_ended_run_withdraws_its_request_branch_and_lock(
    pending: PendingRun,
) -> None:
    pending.waits()
    pending.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID, automation_run_id=OWN))

    assert pending.status() is Status.CANCELLED
    assert pending.ended_waits == [("token-1", "Report")]
    assert pending.repository.closed == [f"slipway/upscale_service/{RUN_ID}"]
    assert pending.holder() is None
    assert pending.updates(OWN) == [{"status": "SUCCESS"}]


def test_withdrawn_run_stays_open_until_the_sweep_cleans_it_up(
    pending: PendingRun,
) -> None:
    pending.waits()
    pending.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID))
    assert [row["run_id"] for row in pending.ledger.open_rows()] == [RUN_ID]

    approval_function().cleanup.clean_up(RUN_ID)
    assert pending.repository.closed == [f"slipway/upscale_service/{RUN_ID}"] * 2
    assert (pending.ledger.get(RUN_ID) or {})["outcome"] == "FAILURE"
    assert list(pending.ledger.open_rows()) == []


def test_run_that_stopped_after_it_took_the_lock_frees_it(pending: PendingRun) -> None:
    pending.ledger.open(make_message(action="upscale_service", entity="shop"))
    pending.ledger.record_target(RUN_ID, "service/shop", "services")
    pending.locks.acquire("service/shop", RUN_ID)
    pending.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID))

    assert list(pending.locks.all()) == []


def test_withdraw_does_nothing_when_the_run_has_not_ended(pending: PendingRun) -> None:
    pending.waits()

    approval_function().withdraw(EndedRun(run_id=RUN_ID))

    assert pending.status() is Status.PENDING
    assert pending.holder() == RUN_ID
    assert pending.repository.closed == []


def test_withdraw_ignores_the_run_of_a_false_event(
    pending: PendingRun,
) -> None:
    other = "r_otherrun0000001"
    pending.set_run(other, "create_service", "IN_PROGRESS")

    approval_function().withdraw(EndedRun(run_id=RUN_ID, automation_run_id=other))

    assert pending.updates(other) == []


def test_withdraw_does_not_ask_github_when_slipway_ended_the_run(
    pending: PendingRun,
) -> None:
    pending.waits()
    pending.ledger.close(RUN_ID, "FAILURE")
    pending.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID, automation_run_id=OWN))

    assert pending.repository.closed == []
    assert pending.updates(OWN) == [{"status": "SUCCESS"}]


def test_withdraw_ignores_a_run_that_slipway_never_received(
    pending: PendingRun,
) -> None:
    pending.set_run(RUN_ID, "upscale_service", "FAILURE")
    approval_function().withdraw(EndedRun(run_id=RUN_ID))
    assert pending.repository.closed == []


def test_withdraw_keeps_the_decision_of_a_decided_request(
    pending: PendingRun,
) -> None:
    pending.waits()
    approval = pending.store.get(f"{RUN_ID}.1")
    pending.store.save(approval, approval.model_copy(update={"status": Status.APPROVED}))
    pending.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID))

    assert pending.status() is Status.APPROVED
    assert pending.repository.closed == [f"slipway/upscale_service/{RUN_ID}"]


@pytest.mark.parametrize(
    ("status", "words"), [("ABORTED", "stopped by an operator"), ("TIMED_OUT", "took too long")]
)
def test_run_ends_when_its_execution_was_stopped(
    pending: PendingRun, status: str, words: str
) -> None:
    pending.waits()

    stopped(f"{RUN_ID}-2", status)

    (update,) = pending.updates()
    assert update["status"] == "FAILURE"
    assert words in update["summary"]


def test_run_goes_on_hold_when_its_execution_failed(
    pending: PendingRun,
) -> None:
    pending.waits()

    stopped(RUN_ID, "FAILED")

    assert pending.updates() == []
    (line,) = pending.port.bodies(f"POST /v1/actions/runs/{RUN_ID}/logs")
    assert line["statusLabel"] == f"On hold, reference {RUN_ID}"
    assert pending.holder() == RUN_ID


def test_stopped_execution_leaves_a_run_with_a_pull_request(
    pending: PendingRun,
) -> None:
    pending.waits()
    pending.ledger.record_pull_request(RUN_ID, 7, "https://github.test/pull/7")

    stopped(RUN_ID, "ABORTED")

    assert pending.updates() == []
    assert pending.holder() == RUN_ID


@pytest.mark.parametrize("known", [True, False])
def test_ended_run_stays_unchanged_when_its_execution_stops(
    pending: PendingRun, known: bool
) -> None:
    if known:
        pending.waits()
    pending.set_run(RUN_ID, "upscale_service", "SUCCESS")

    stopped(RUN_ID, "ABORTED")

    assert pending.updates() == []
    assert pending.repository.closed == []


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (None, "unknown to Port"),
        ({"id": "auth0|another", "email": "devops@acme.example"}, "another person's run"),
    ],
)
def test_port_decision_is_refused_when_port_names_another_user(
    pending: PendingRun, user: dict[str, str] | None, why: str
) -> None:
    pending.waits()
    found: Answer = (200, {"ok": True, "user": user}, {}) if user else (404, NOT_FOUND, {})
    pending.port.script("GET /v1/users/devops%40acme.example", found)
    requester = make_message().requester.model_copy(update={"email": "devops@acme.example"})
    decision = {"createdBy": "auth0|1", "properties": {"decision": "APPROVE"}}
    pending.set_run(OWN, "decide_approval", "IN_PROGRESS", entity=f"{RUN_ID}.1", **decision)
    run: Any = SimpleNamespace(
        run_id=OWN, message=make_message(requester=requester), port=clients.port_client()
    )

    with pytest.raises(NotAnApprover, match="Decide as a person"):
        approval_function().decide_by_port(run)

    assert pending.status() is Status.PENDING, why


def test_workflow_decides_no_request(pending: PendingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    pending.waits()
    monkeypatch.setenv("WORKFLOWS", "true")
    load.cache_clear()
    clients.port_client.cache_clear()
    pending.port.script(f"POST {NODE_PATH}/logs", (201, {"ok": True}, {}))
    pending.port.script(f"PATCH {NODE_PATH}", (200, {"ok": True}, {}))
    decision = {
        "action": "decide_approval",
        "operation": "DAY-2",
        "blueprint": "approval_request",
        "entity": f"{RUN_ID}.1",
        "requestedAt": "2026-11-23T10:00:00Z",
        "properties": {"decision": "APPROVE", "change": "0"},
    }
    context: Any = SimpleNamespace(
        function_name="slipway-approval",
        function_version="1",
        memory_limit_in_mb=128,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:slipway-approval",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: 60_000,
    )

    handler(event({"context": {"runId": NODE}, "payload": decision}), context)

    assert pending.status() is Status.PENDING
    (end,) = pending.port.bodies(f"PATCH {NODE_PATH}")
    assert end["result"] == "FAILED"
    assert "not with machine credentials" in str(pending.port.bodies(f"POST {NODE_PATH}/logs"))


def test_port_decision_is_refused_when_its_comment_is_too_long(pending: PendingRun) -> None:
    pending.waits()
    pending.script_user({"id": "auth0|1", "email": "devops@acme.example"})
    requester = make_message().requester.model_copy(update={"email": "devops@acme.example"})
    typed = {"decision": "APPROVE", "comment": "x" * (MAX_COMMENT + 1), "change": "h"}
    decision = {"createdBy": "auth0|1", "properties": typed}
    pending.set_run(OWN, "decide_approval", "IN_PROGRESS", entity=f"{RUN_ID}.1", **decision)
    run: Any = SimpleNamespace(
        run_id=OWN, message=make_message(requester=requester), port=clients.port_client()
    )

    with pytest.raises(InvalidInput, match="at most 1000 characters, but has 1001"):
        approval_function().decide_by_port(run)

    assert pending.status() is Status.PENDING
