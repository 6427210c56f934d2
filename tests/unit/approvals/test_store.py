"""Rows of requests, the audit trail and decisions, against AWS by moto."""

import json
from datetime import UTC, datetime, timedelta
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
from slipway.port.models import User

from tests.fakes.port import FakePort
from tests.unit.approvals.conftest import make_approval
from tests.unit.conftest import POLICY

NOW = datetime.now(UTC)
REQUEST = make_approval(created_at=NOW, expires_at=NOW + timedelta(hours=1))
APPROVAL: dict[str, Any] = POLICY["default"]["approval"]
DEVOPS = Ballot("devops@acme.example", "APPROVE", "Port", "fine")


class Approvals:
    """Decisions with their table and bucket, and a record of ended waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = ApprovalStore("approvals", "records")
        self.ended_waits: list[tuple[str, str]] = []
        self.gone: set[str] = set()
        self.port = FakePort()

        def end_wait(token: str, following: str) -> bool:
            self.ended_waits.append((token, following))
            return token not in self.gone

        monkeypatch.setattr("slipway.approvals.decisions.end_wait", end_wait)
        self.ask_of(emails=REQUEST.emails)
        port: Any = self.port
        self.decisions = Decisions(self.store, AuditTrail("audit"), port, self.policy_now)

    def ask_of(self, **changes: Any) -> None:
        """Let the current policy require other approvers."""
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
def approvals(aws: None, monkeypatch: pytest.MonkeyPatch) -> Approvals:
    return Approvals(monkeypatch)


def test_missing_request_is_not_found(approvals: Approvals) -> None:
    with pytest.raises(RequestNotFound, match="Approval request 'r_x.1' does not exist"):
        approvals.store.get("r_x.1")


def test_stored_request_is_kept_when_created_again(approvals: Approvals) -> None:
    approvals.store.create(REQUEST, "the diff")
    other = REQUEST.model_copy(update={"change_hash": "0" * 64, "summary": "another"})

    kept = approvals.store.create(other, "another diff")

    assert kept == REQUEST
    assert approvals.store.preview(kept) == "the diff"


def test_save_conflicts_when_the_row_has_changed(approvals: Approvals) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.save(REQUEST, REQUEST.model_copy(update={"status": Status.EXPIRED}))

    with pytest.raises(ConditionFailed):
        approvals.store.save(REQUEST, REQUEST.model_copy(update={"status": Status.APPROVED}))

    assert approvals.store.get(REQUEST.id).status is Status.EXPIRED


def test_wait_conflicts_when_the_request_is_decided(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.decisions.decide(REQUEST.id, DEVOPS)

    with pytest.raises(ConditionFailed):
        approvals.store.wait(REQUEST.id, "late-token", reminded=False)


def test_approval_resumes_a_waiting_machine_to_execute(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.wait(REQUEST.id, "token-1", reminded=False)

    approved = approvals.decisions.decide(REQUEST.id, DEVOPS)

    assert approved.status is Status.APPROVED
    assert approvals.ended_waits == [("token-1", "Execute")]


def test_decline_resumes_a_waiting_machine_to_report(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.wait(REQUEST.id, "token-1", reminded=False)

    approvals.decisions.decide(REQUEST.id, Ballot("lead@acme.example", "DECLINE", "link"))

    assert approvals.ended_waits == [("token-1", "Report")]


def test_audit_record_has_the_approver_channel_time_and_change(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.decisions.decide(REQUEST.id, DEVOPS)

    (record,) = approvals.audited().values()

    assert record["approver"] == "devops@acme.example"
    assert record["verdict"] == "APPROVE"
    assert record["door"] == "Port"
    assert record["comment"] == "fine"
    assert record["change_hash"] == REQUEST.change_hash
    assert datetime.fromisoformat(record["at"]) >= NOW


def test_audit_record_is_never_overwritten(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    saved = approvals.decisions.decide(REQUEST.id, DEVOPS)
    before = approvals.audited()
    vote = next(iter(saved.votes.values())).model_copy(update={"comment": "changed"})

    AuditTrail("audit").write(saved.model_copy(update={"votes": {"devops@acme.example": vote}}))

    assert approvals.audited() == before


def test_second_of_two_concurrent_decisions_is_refused(
    approvals: Approvals, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvals.store.create(REQUEST, "")
    save = approvals.store.save
    raced: list[bool] = []

    def overtaken(before: Any, after: Any) -> Any:
        if not raced:
            raced.append(True)
            approvals.decisions.decide(REQUEST.id, Ballot("lead@acme.example", "DECLINE", "link"))
        return save(before, after)

    monkeypatch.setattr(approvals.store, "save", overtaken)

    with pytest.raises(RequestClosed, match="declined by lead@acme.example"):
        approvals.decisions.decide(REQUEST.id, DEVOPS)

    assert approvals.store.get(REQUEST.id).status is Status.DECLINED
    assert len(approvals.audited()) == 1


def test_concurrent_approvals_both_count_when_two_are_needed(
    approvals: Approvals, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.ask_of(emails=REQUEST.emails, count=2)
    save = approvals.store.save
    raced: list[bool] = []

    def overtaken(before: Any, after: Any) -> Any:
        if not raced:
            raced.append(True)
            approvals.decisions.decide(REQUEST.id, Ballot("lead@acme.example", "APPROVE", "link"))
        return save(before, after)

    monkeypatch.setattr(approvals.store, "save", overtaken)

    assert approvals.decisions.decide(REQUEST.id, DEVOPS).status is Status.APPROVED
    assert approvals.port.logs == ["1 of 2 approvals are there."]


def test_decision_uses_the_new_token_when_a_reminder_replaced_it(
    approvals: Approvals, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.wait(REQUEST.id, "token-1", reminded=False)
    approvals.gone.add("token-1")
    read = approvals.store.get
    asked = []

    def reminded(approval_id: str) -> Any:
        asked.append(approval_id)
        found = read(approval_id)
        return found if len(asked) == 1 else found.model_copy(update={"token": "token-2"})

    monkeypatch.setattr(approvals.store, "get", reminded)

    approvals.decisions.decide(REQUEST.id, DEVOPS)

    assert approvals.ended_waits == [("token-1", "Execute"), ("token-2", "Execute")]


def test_decision_stands_when_its_task_token_has_expired(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.wait(REQUEST.id, "token-1", reminded=False)
    approvals.gone.add("token-1")

    assert approvals.decisions.decide(REQUEST.id, DEVOPS).status is Status.APPROVED


def test_repeated_decision_resumes_machine_after_an_interruption(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.wait(REQUEST.id, "token-1", reminded=False)
    approvals.decisions.decide(REQUEST.id, DEVOPS)
    approvals.ended_waits.clear()

    with pytest.raises(RequestClosed):
        approvals.decisions.decide(REQUEST.id, DEVOPS)

    assert approvals.ended_waits == [("token-1", "Execute")]


def test_team_member_can_decide_when_port_confirms_the_team(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.ask_of(emails=(), teams=["sre"])
    with pytest.raises(NotAnApprover):
        approvals.decisions.decide(REQUEST.id, DEVOPS)

    approvals.port.people.append(User(email="devops@acme.example", teams=["sre"]))

    assert approvals.decisions.decide(REQUEST.id, DEVOPS).status is Status.APPROVED


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.CANCELLED])
def test_settled_request_resumes_the_machine_and_is_audited(
    approvals: Approvals, status: Status
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.store.wait(REQUEST.id, "token-1", reminded=False)

    assert approvals.decisions.settle(REQUEST.id, status).status is status

    assert approvals.ended_waits == [("token-1", "Report")]
    (record,) = approvals.audited().values()
    assert record["outcome"] == status


def test_settle_keeps_an_existing_decision(approvals: Approvals) -> None:
    approvals.store.create(REQUEST, "")
    approvals.decisions.decide(REQUEST.id, DEVOPS)

    assert approvals.decisions.settle(REQUEST.id, Status.EXPIRED).status is Status.APPROVED


def test_superseded_request_does_not_count_as_approved(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    approvals.decisions.decide(REQUEST.id, DEVOPS)

    approvals.store.supersede(REQUEST.id)
    approvals.store.supersede(REQUEST.id)

    assert approvals.store.get(REQUEST.id).status is Status.SUPERSEDED


def test_supersede_conflicts_when_the_request_is_not_approved(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    with pytest.raises(ConditionFailed):
        approvals.store.supersede(REQUEST.id)


def test_decision_touches_single_items_among_10000_requests(
    approvals: Approvals,
) -> None:
    asked = "r_0000000000004711.1"
    row = REQUEST.model_dump(mode="json", exclude_none=True)
    aws.dynamodb_table("approvals").put_item(Item={**row, "id": asked})
    # Ten thousand calls of moto take as long as a hundred tests.
    region = get_backend("dynamodb")["123456789012"]["eu-west-1"]
    items = region.tables["approvals"].items
    items.update({f"r_{number:016}.1": items[asked] for number in range(10_000)})
    calls: list[str] = []
    events = approvals.store._table.meta.client.meta.events
    events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name), "count")

    approvals.decisions.decide(asked, DEVOPS)

    events.unregister("before-call.dynamodb", unique_id="count")
    assert calls == ["GetItem", "UpdateItem"]


def test_repeated_settle_resumes_machine_after_an_interruption(
    approvals: Approvals,
) -> None:
    approvals.store.create(REQUEST, "")
    waiting = approvals.store.wait(REQUEST.id, "token-1", reminded=False)
    # Interrupted after the row was written.
    approvals.store.save(waiting, settle(waiting, Status.CANCELLED, NOW))

    approvals.decisions.settle(REQUEST.id, Status.CANCELLED)

    assert approvals.ended_waits == [("token-1", "Report")]
