"""Stolen Port credentials: they may call the whole API, and act in any person's name."""

import json
from typing import Any

import boto3
import pytest
from slipway.approvals.decision import Ballot
from slipway.approvals.models import Status
from slipway.changes.policy import Policy
from slipway.errors import NotAnApprover

from tests.attacks.deciding import DECISION, REQUEST, decide_in_port
from tests.unit.approvals import test_function, test_steps
from tests.unit.conftest import POLICY

pytestmark = [
    pytest.mark.waits,
    # The warning of Powertools in a function without metrics.
    pytest.mark.filterwarnings("ignore:No application metrics:UserWarning"),
]
CLIENT = "60EsooJtOqimlekxrNh7nfr2iOgTcyLZ"
APPROVAL: dict[str, Any] = POLICY["default"]["approval"]
TWO = APPROVAL | {"emails": ["devops@acme.example", "lead@acme.example"]}
decisions = test_function.pending


@pytest.fixture
def requests(aws: None, monkeypatch: pytest.MonkeyPatch) -> test_steps.ApprovalRun:
    """Make a run by machine credentials in the name of dev@acme.example; two may approve."""
    run = test_steps.ApprovalRun(monkeypatch)
    run.port.impersonated_by = CLIENT
    run.policy = Policy.model_validate(POLICY | {"default": {"approval": TWO}})
    return run


def test_decision_in_a_persons_name_is_refused(decisions: test_function.PendingRun) -> None:
    decisions.waits()

    decide_in_port(decisions, impersonatedBy=CLIENT)

    assert decisions.status() is Status.PENDING
    (ended,) = decisions.updates(DECISION)
    assert "not with machine credentials" in ended["summary"]


def test_decision_of_the_person_counts(decisions: test_function.PendingRun) -> None:
    decisions.waits()

    decide_in_port(decisions)

    assert decisions.status() is Status.APPROVED


def test_request_in_a_persons_name_needs_two_approvers(requests: test_steps.ApprovalRun) -> None:
    requests.waiting()

    first = requests.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))
    second = requests.decisions.decide(REQUEST, Ballot("lead@acme.example", "APPROVE", "link"))

    assert (first.status, second.status) == (Status.PENDING, Status.APPROVED)
    assert (second.requester_id, second.impersonated_by) == ("auth0|1", CLIENT)


def test_request_by_the_credentials_needs_two_approvers(
    requests: test_steps.ApprovalRun,
) -> None:
    requests.port.impersonated_by, requests.port.created_by = "", CLIENT

    requests.waiting()

    assert requests.store.get(REQUEST).needed == 2


def test_request_in_a_persons_name_is_refused_by_policy(
    requests: test_steps.ApprovalRun,
) -> None:
    requests.policy = requests.policy.model_copy(update={"without_person": "refuse"})
    requests.take("lock")

    assert requests.take("request") == {"next": "Report"}
    requests.take("report")

    ((status, summary),) = requests.port.ends.values()
    assert status == "FAILURE"
    assert "Run the action in Port as a person" in summary


def test_pending_machine_request_is_refused_by_policy(
    requests: test_steps.ApprovalRun,
) -> None:
    requests.waiting()
    requests.policy = requests.policy.model_copy(update={"without_person": "refuse"})

    with pytest.raises(NotAnApprover, match="policy refuses"):
        requests.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))


def test_request_from_before_the_upgrade_needs_two_approvers(
    requests: test_steps.ApprovalRun,
) -> None:
    requests.waiting()
    # The previous release did not record who ran the action.
    requests.store._table.update_item(
        Key={"id": REQUEST}, UpdateExpression="REMOVE by_machine, impersonated_by, requester_id"
    )

    voted = requests.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))

    assert (voted.status, voted.needed) == (Status.PENDING, 2)


def test_audit_record_names_person_and_credentials(requests: test_steps.ApprovalRun) -> None:
    requests.waiting()
    requests.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))

    (record,) = audited()
    assert (record["requested_by"], record["requester_id"]) == ("dev@acme.example", "auth0|1")
    assert record["impersonated_by"] == CLIENT


def audited() -> list[dict[str, Any]]:
    storage = boto3.client("s3")
    found = storage.list_objects_v2(Bucket="audit")["Contents"]
    return [
        json.loads(storage.get_object(Bucket="audit", Key=item["Key"])["Body"].read())
        for item in found
    ]
