"""What follows when a run was ended, or its execution is gone. Port is a real HTTP server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from slipway.approvals import cleanup
from slipway.approvals.function import approval_function
from slipway.approvals.models import Status
from slipway.approvals.store import ApprovalStore
from slipway.config import load
from slipway.errors import NotAnApprover
from slipway.port.message import EndedRun
from slipway.runs import clients
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.sweep.sweep import stopped

from tests.scripted import Answer, ScriptedServer
from tests.unit.approvals.conftest import make_approval
from tests.unit.conftest import RUN_ID, make_message

pytestmark = pytest.mark.waits

NOT_FOUND = {"ok": False, "error": "not_found"}
OWN = "r_automation000001"
NOW = datetime.now(UTC)


class World:
    """A run that waits for its approval."""

    def __init__(self, port: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = port
        self.closed: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.ledger = Ledger("runs")
        self.locks = ServiceLocks("locks", lambda owner: False)
        self.store = ApprovalStore("approvals", "records")
        self.set_run(RUN_ID, "upscale_service", "IN_PROGRESS")
        self.set_run(OWN, "upscale_service_ended", "IN_PROGRESS")
        repository: Any = SimpleNamespace(close=lambda branch, _, **__: self.closed.append(branch))
        monkeypatch.setattr(cleanup, "services_repository", lambda config, place: repository)
        monkeypatch.setattr("slipway.approvals.decisions.end_wait", self.tell)

    def tell(self, token: str, following: str) -> bool:
        self.told.append((token, following))
        return True

    def set_run(self, run_id: str, action: str, status: str, **fields: object) -> None:
        run = {"id": run_id, "status": status, "action": {"identifier": action}, **fields}
        route = f"/v1/actions/runs/{run_id}"
        self.port.script(f"GET {route}", (200, {"ok": True, "run": run}, {}))
        self.port.script(f"PATCH {route}", (200, {"ok": True, "run": run}, {}))
        self.port.script(f"POST {route}/logs", (201, {"ok": True, "runLog": {}}, {}))

    def script_user(self, user: dict[str, str]) -> None:
        """Have Port know a person."""
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
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
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
        yield World(port, monkeypatch)
    clients.port_client.cache_clear()


def test_given_a_waiting_run_when_it_was_ended_then_all_that_waits_for_it_is_withdrawn(
    world: World,
) -> None:
    world.waits()
    world.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID, automation_run_id=OWN))

    assert world.status() is Status.CANCELLED
    assert world.told == [("token-1", "Report")]
    assert world.closed == [f"slipway/upscale_service/{RUN_ID}"]
    assert world.holder() is None
    assert world.updates(OWN) == [{"status": "SUCCESS"}]


def test_given_a_run_that_was_ended_while_a_function_may_be_at_work_when_withdrawn_then_swept_again(
    world: World,
) -> None:
    world.waits()
    world.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID))
    assert [row["run_id"] for row in world.ledger.open_rows()] == [RUN_ID]

    approval_function().cleanup.clean_up(RUN_ID)
    assert world.closed == [f"slipway/upscale_service/{RUN_ID}"] * 2
    assert (world.ledger.get(RUN_ID) or {})["outcome"] == "FAILURE"
    assert list(world.ledger.open_rows()) == []


def test_run_that_stopped_after_it_took_the_lock_frees_it(world: World) -> None:
    world.ledger.open(make_message(action="upscale_service", entity="shop"))
    world.ledger.record_target(RUN_ID, "service/shop", "services")
    world.locks.acquire("service/shop", RUN_ID)
    world.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID))

    assert list(world.locks.all()) == []


def test_given_a_notice_that_lies_when_read_then_nothing_is_withdrawn(world: World) -> None:
    world.waits()

    approval_function().withdraw(EndedRun(run_id=RUN_ID))

    assert world.status() is Status.PENDING
    assert world.holder() == RUN_ID
    assert world.closed == []


def test_given_a_notice_that_names_another_run_as_its_own_when_read_then_that_run_goes_on(
    world: World,
) -> None:
    other = "r_otherrun0000001"
    world.set_run(other, "create_service", "IN_PROGRESS")

    approval_function().withdraw(EndedRun(run_id=RUN_ID, automation_run_id=other))

    assert world.updates(other) == []


def test_given_a_run_that_slipway_ended_itself_when_told_of_it_then_github_is_not_asked(
    world: World,
) -> None:
    world.waits()
    world.ledger.close(RUN_ID, "FAILURE")
    world.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID, automation_run_id=OWN))

    assert world.closed == []
    assert world.updates(OWN) == [{"status": "SUCCESS"}]


def test_given_a_run_that_slipway_never_took_on_when_told_of_its_end_then_nothing_is_done(
    world: World,
) -> None:
    world.set_run(RUN_ID, "upscale_service", "FAILURE")
    approval_function().withdraw(EndedRun(run_id=RUN_ID))
    assert world.closed == []


def test_given_a_decision_when_the_run_is_ended_afterwards_then_the_decision_stays_on_record(
    world: World,
) -> None:
    world.waits()
    approval = world.store.get(f"{RUN_ID}.1")
    world.store.save(approval, approval.model_copy(update={"status": Status.APPROVED}))
    world.set_run(RUN_ID, "upscale_service", "FAILURE")

    approval_function().withdraw(EndedRun(run_id=RUN_ID))

    assert world.status() is Status.APPROVED
    assert world.closed == [f"slipway/upscale_service/{RUN_ID}"]


@pytest.mark.parametrize(
    ("status", "words"), [("ABORTED", "stopped by an operator"), ("TIMED_OUT", "took too long")]
)
def test_given_an_execution_that_is_gone_when_swept_then_the_run_ends(
    world: World, status: str, words: str
) -> None:
    world.waits()

    stopped(f"{RUN_ID}-2", status)

    (update,) = world.updates()
    assert update["status"] == "FAILURE"
    assert words in update["summary"]


def test_given_an_execution_that_failed_when_swept_then_the_run_is_held(world: World) -> None:
    world.waits()

    stopped(RUN_ID, "FAILED")

    assert world.updates() == []
    (line,) = world.port.bodies(f"POST /v1/actions/runs/{RUN_ID}/logs")
    assert line["statusLabel"] == f"On hold, reference {RUN_ID}"
    assert world.holder() == RUN_ID


def test_given_a_pull_request_when_its_execution_is_gone_then_it_is_left_to_people(
    world: World,
) -> None:
    world.waits()
    world.ledger.record_pull_request(RUN_ID, 7, "https://github.test/pull/7")

    stopped(RUN_ID, "ABORTED")

    assert world.updates() == []
    assert world.holder() == RUN_ID


@pytest.mark.parametrize("known", [True, False])
def test_given_a_run_that_is_over_when_its_execution_is_swept_then_nothing_is_done(
    world: World, known: bool
) -> None:
    if known:
        world.waits()
    world.set_run(RUN_ID, "upscale_service", "SUCCESS")

    stopped(RUN_ID, "ABORTED")

    assert world.updates() == []
    assert world.closed == []


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (None, "unknown to Port"),
        ({"id": "auth0|somebody-else", "email": "devops@acme.example"}, "another person's run"),
    ],
)
def test_given_port_names_another_person_when_deciding_in_port_then_refused(
    world: World, user: dict[str, str] | None, why: str
) -> None:
    world.waits()
    found: Answer = (200, {"ok": True, "user": user}, {}) if user else (404, NOT_FOUND, {})
    world.port.script("GET /v1/users/devops%40acme.example", found)
    requester = make_message().requester.model_copy(update={"email": "devops@acme.example"})
    decision = {"createdBy": "auth0|1", "properties": {"decision": "APPROVE"}}
    world.set_run(OWN, "decide_approval", "IN_PROGRESS", entity=f"{RUN_ID}.1", **decision)
    run: Any = SimpleNamespace(
        run_id=OWN, message=make_message(requester=requester), port=clients.port_client()
    )

    with pytest.raises(NotAnApprover, match="Decide as a person"):
        approval_function().decide_by_port(run)

    assert world.status() is Status.PENDING, why
