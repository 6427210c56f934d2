"""Rows of requests, the audit trail and decisions, against AWS by moto."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from slipway import aws
from slipway.approvals.audit import AuditTrail
from slipway.approvals.decision import Ballot, settle
from slipway.approvals.decisions import Decisions
from slipway.approvals.models import Status
from slipway.approvals.store import ApprovalStore
from slipway.aws import ConditionFailed
from slipway.changes.policy import Policy, PolicyVersion
from slipway.errors import NotAnApprover, RequestClosed, RequestNotFound
from slipway.port.models import Run, User

from tests.unit.approvals.conftest import make_approval
from tests.unit.conftest import POLICY

NOW = datetime.now(UTC)
REQUEST = make_approval(created_at=NOW, expires_at=NOW + timedelta(hours=1))
APPROVAL: dict[str, Any] = POLICY["default"]["approval"]
DEVOPS = Ballot("devops@acme.example", "APPROVE", "Port", "fine")


class World:
    """The decisions with its table and bucket, and what Step Functions was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = ApprovalStore("approvals", "records")
        self.told: list[tuple[str, str]] = []
        self.gone: set[str] = set()
        self.log: list[str] = []
        self.teams: list[str] = []

        def tell(token: str, following: str) -> bool:
            self.told.append((token, following))
            return token not in self.gone

        monkeypatch.setattr("slipway.approvals.decisions.end_wait", tell)
        port: Any = SimpleNamespace(
            get_user=lambda email: User(id="auth0|1", email=email, teams=self.teams),
            get_run=lambda run_id: Run.model_validate(
                {"id": run_id, "status": "IN_PROGRESS", "action": "a", "createdBy": "auth0|1"}
            ),
            add_log=lambda run_id, text: self.log.append(text),
        )
        self.ask_of(emails=REQUEST.emails)
        self.decisions = Decisions(self.store, AuditTrail("audit"), port, self.policy_now)

    def ask_of(self, **changes: Any) -> None:
        """Have the policy of now ask for other approvers."""
        self.policy = POLICY | {"default": {"approval": APPROVAL | changes}}

    def policy_now(self) -> PolicyVersion:
        return PolicyVersion(Policy.model_validate(self.policy), "v1")

    def audited(self) -> dict[str, Any]:
        storage = boto3.client("s3")
        found = storage.list_objects_v2(Bucket="audit").get("Contents", [])
        return {
            item["Key"]: json.loads(
                storage.get_object(Bucket="audit", Key=item["Key"])["Body"].read()
            )
            for item in found
        }


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_given_no_such_request_when_read_then_not_found(world: World) -> None:
    with pytest.raises(RequestNotFound, match="Approval request 'r_x.1' does not exist"):
        world.store.get("r_x.1")


def test_given_a_request_when_stored_twice_then_the_first_stays(world: World) -> None:
    world.store.create(REQUEST, "the diff")
    other = REQUEST.model_copy(update={"change_hash": "0" * 64, "summary": "another"})

    kept = world.store.create(other, "another diff")

    assert kept == REQUEST
    assert world.store.preview(kept) == "the diff"


def test_given_a_row_that_changed_when_saved_then_conflict(world: World) -> None:
    world.store.create(REQUEST, "")
    world.store.save(REQUEST, REQUEST.model_copy(update={"status": Status.EXPIRED}))

    with pytest.raises(ConditionFailed):
        world.store.save(REQUEST, REQUEST.model_copy(update={"status": Status.APPROVED}))

    assert world.store.get(REQUEST.id).status is Status.EXPIRED


def test_given_a_decided_request_when_the_machine_begins_to_wait_then_conflict(
    world: World,
) -> None:
    world.store.create(REQUEST, "")
    world.decisions.decide(REQUEST.id, DEVOPS)

    with pytest.raises(ConditionFailed):
        world.store.wait(REQUEST.id, "late-token", reminded=False)


def test_given_a_waiting_machine_when_approved_then_it_goes_on_to_execute(world: World) -> None:
    world.store.create(REQUEST, "")
    world.store.wait(REQUEST.id, "token-1", reminded=False)

    approved = world.decisions.decide(REQUEST.id, DEVOPS)

    assert approved.status is Status.APPROVED
    assert world.told == [("token-1", "Execute")]


def test_given_a_waiting_machine_when_declined_then_it_goes_on_to_report(world: World) -> None:
    world.store.create(REQUEST, "")
    world.store.wait(REQUEST.id, "token-1", reminded=False)

    world.decisions.decide(REQUEST.id, Ballot("lead@acme.example", "DECLINE", "link"))

    assert world.told == [("token-1", "Report")]


def test_given_a_decision_when_taken_then_the_audit_trail_has_who_how_when_and_what(
    world: World,
) -> None:
    world.store.create(REQUEST, "")
    world.decisions.decide(REQUEST.id, DEVOPS)

    (record,) = world.audited().values()

    assert record["approver"] == "devops@acme.example"
    assert record["verdict"] == "APPROVE"
    assert record["door"] == "Port"
    assert record["comment"] == "fine"
    assert record["change_hash"] == REQUEST.change_hash
    assert datetime.fromisoformat(record["at"]) >= NOW


def test_given_a_record_when_audited_again_then_it_is_not_written_over(world: World) -> None:
    world.store.create(REQUEST, "")
    saved = world.decisions.decide(REQUEST.id, DEVOPS)
    before = world.audited()
    vote = next(iter(saved.votes.values())).model_copy(update={"comment": "changed"})

    AuditTrail("audit").write(saved.model_copy(update={"votes": {"devops@acme.example": vote}}))

    assert world.audited() == before


def test_given_two_people_at_the_same_instant_when_deciding_then_one_wins_and_one_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store.create(REQUEST, "")
    save = world.store.save
    raced: list[bool] = []

    def overtaken(before: Any, after: Any) -> Any:
        if not raced:
            raced.append(True)
            world.decisions.decide(REQUEST.id, Ballot("lead@acme.example", "DECLINE", "link"))
        return save(before, after)

    monkeypatch.setattr(world.store, "save", overtaken)

    with pytest.raises(RequestClosed, match="declined by lead@acme.example"):
        world.decisions.decide(REQUEST.id, DEVOPS)

    assert world.store.get(REQUEST.id).status is Status.DECLINED
    assert len(world.audited()) == 1


def test_given_two_are_needed_when_both_vote_at_once_then_both_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store.create(REQUEST, "")
    world.ask_of(emails=REQUEST.emails, count=2)
    save = world.store.save
    raced: list[bool] = []

    def overtaken(before: Any, after: Any) -> Any:
        if not raced:
            raced.append(True)
            world.decisions.decide(REQUEST.id, Ballot("lead@acme.example", "APPROVE", "link"))
        return save(before, after)

    monkeypatch.setattr(world.store, "save", overtaken)

    assert world.decisions.decide(REQUEST.id, DEVOPS).status is Status.APPROVED
    assert world.log == ["1 of 2 approvals are there."]


def test_given_a_reminder_took_over_the_wait_when_decided_then_the_new_token_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store.create(REQUEST, "")
    world.store.wait(REQUEST.id, "token-1", reminded=False)
    world.gone.add("token-1")
    read = world.store.get
    asked = []

    def reminded(approval_id: str) -> Any:
        asked.append(approval_id)
        found = read(approval_id)
        return found if len(asked) == 1 else found.model_copy(update={"token": "token-2"})

    monkeypatch.setattr(world.store, "get", reminded)

    world.decisions.decide(REQUEST.id, DEVOPS)

    assert world.told == [("token-1", "Execute"), ("token-2", "Execute")]


def test_given_the_token_is_gone_when_decided_then_the_decision_stands(world: World) -> None:
    world.store.create(REQUEST, "")
    world.store.wait(REQUEST.id, "token-1", reminded=False)
    world.gone.add("token-1")

    assert world.decisions.decide(REQUEST.id, DEVOPS).status is Status.APPROVED


def test_given_a_decision_that_was_cut_off_when_decided_again_then_the_machine_is_told(
    world: World,
) -> None:
    world.store.create(REQUEST, "")
    world.store.wait(REQUEST.id, "token-1", reminded=False)
    world.decisions.decide(REQUEST.id, DEVOPS)
    world.told.clear()

    with pytest.raises(RequestClosed):
        world.decisions.decide(REQUEST.id, DEVOPS)

    assert world.told == [("token-1", "Execute")]


def test_given_team_approvers_when_a_member_decides_then_port_is_asked_for_the_teams(
    world: World,
) -> None:
    world.store.create(REQUEST, "")
    world.ask_of(emails=(), teams=["sre"])
    with pytest.raises(NotAnApprover):
        world.decisions.decide(REQUEST.id, DEVOPS)

    world.teams = ["sre"]

    assert world.decisions.decide(REQUEST.id, DEVOPS).status is Status.APPROVED


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.CANCELLED])
def test_given_nobody_decided_when_settled_then_told_and_on_record(
    world: World, status: Status
) -> None:
    world.store.create(REQUEST, "")
    world.store.wait(REQUEST.id, "token-1", reminded=False)

    assert world.decisions.settle(REQUEST.id, status).status is status

    assert world.told == [("token-1", "Report")]
    (record,) = world.audited().values()
    assert record["outcome"] == status


def test_given_a_decided_request_when_settled_then_the_decision_stays(world: World) -> None:
    world.store.create(REQUEST, "")
    world.decisions.decide(REQUEST.id, DEVOPS)

    assert world.decisions.settle(REQUEST.id, Status.EXPIRED).status is Status.APPROVED


def test_given_a_changed_file_when_superseded_then_the_approval_does_not_count_any_more(
    world: World,
) -> None:
    world.store.create(REQUEST, "")
    world.decisions.decide(REQUEST.id, DEVOPS)

    world.store.supersede(REQUEST.id)
    world.store.supersede(REQUEST.id)

    assert world.store.get(REQUEST.id).status is Status.SUPERSEDED


def test_given_a_request_that_is_not_approved_when_superseded_then_conflict(world: World) -> None:
    world.store.create(REQUEST, "")
    with pytest.raises(ConditionFailed):
        world.store.supersede(REQUEST.id)


def test_given_ten_thousand_requests_when_one_is_decided_then_only_single_items_are_touched(
    world: World,
) -> None:
    asked = "r_0000000000004711.1"
    row = REQUEST.model_dump(mode="json", exclude_none=True)
    aws.dynamodb_table("approvals").put_item(Item={**row, "id": asked})
    # Ten thousand calls of moto take as long as a hundred tests.
    region = get_backend("dynamodb")["123456789012"]["eu-west-1"]
    items = region.tables["approvals"].items
    items.update({f"r_{number:016}.1": items[asked] for number in range(10_000)})
    calls: list[str] = []
    events = world.store._table.meta.client.meta.events
    events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name), "count")

    world.decisions.decide(asked, DEVOPS)

    events.unregister("before-call.dynamodb", unique_id="count")
    assert calls == ["GetItem", "UpdateItem"]


def test_given_an_ended_request_of_which_nobody_was_told_when_ended_again_then_the_machine_is_told(
    world: World,
) -> None:
    world.store.create(REQUEST, "")
    pending = world.store.wait(REQUEST.id, "token-1", reminded=False)
    # Cut off after the row was written.
    world.store.save(pending, settle(pending, Status.CANCELLED, NOW))

    world.decisions.settle(REQUEST.id, Status.CANCELLED)

    assert world.told == [("token-1", "Report")]
