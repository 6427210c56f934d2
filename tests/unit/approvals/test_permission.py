"""A remediation requests approval of a repair: the approval function's own steps."""

from types import SimpleNamespace
from typing import Any

import pytest
from slipway.approvals import function
from slipway.approvals.decision import Ballot
from slipway.approvals.function import ApprovalFunction, approval_function
from slipway.approvals.models import Approval, Status
from slipway.approvals.notifications import email_text, slack_message, subject
from slipway.errors import NotAnApprover, SlipwayError
from slipway.health.row import execution_name
from slipway.health.state import Decision

from tests.fakes.port import FakePort
from tests.unit.conftest import POLICY, set_policy

EXECUTION = execution_name("service/shop", 3)
REQUEST = f"{EXECUTION}.1"
PAGE = "https://app.port.test/serviceEntity?identifier=shop"
UNHEALTHY = "The health URL answered 503, not a 2xx."
REPAIR = {
    "service": "service/shop",
    "environment": "Production",
    "reason": UNHEALTHY,
    "strategies": ["restart", "roll back"],
}


class Asking:
    """A remediation that requests the approval of a repair."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[Approval, list[str], Any, str]] = []
        self.ended_waits: list[tuple[str, str]] = []
        self.port = FakePort()
        monkeypatch.setattr(function, "port_client", lambda: self.port)
        monkeypatch.setattr("slipway.approvals.decisions.end_wait", self.end_wait)
        notifications = SimpleNamespace(send=lambda *notice: self.sent.append(notice))
        monkeypatch.setattr(ApprovalFunction, "notifications", notifications)

    def end_wait(self, token: str, following: str) -> bool:
        self.ended_waits.append((token, following))
        return True

    def take(self, step: str, **event: Any) -> Any:
        # The remediation machine calls the step without a run.
        return approval_function().run_step({"step": step, "execution": EXECUTION, **event})

    def ask(self, **changes: Any) -> Any:
        return self.take("ask_for_repair", repair=REPAIR | changes)

    def vote(self, verdict: Any = "APPROVE", who: str = "devops@acme.example") -> Approval:
        return approval_function().decisions.decide(REQUEST, Ballot(who, verdict, "Port", "Go on."))

    @property
    def request(self) -> Approval:
        return approval_function().decisions.store.get(REQUEST)


@pytest.fixture
def asking(aws: None, monkeypatch: pytest.MonkeyPatch) -> Asking:
    return Asking(monkeypatch)


def test_repair_request_notifies_the_approvers_and_waits(
    asking: Asking,
) -> None:
    answer = asking.ask()

    assert answer["next"] == "Wait for decision"
    assert 2990 <= answer["first_wait"] <= 3000
    assert 595 <= answer["second_wait"] <= 605
    ((approval, emails, _, occasion),) = asking.sent
    assert (approval.id, emails, occasion) == (REQUEST, ["devops@acme.example"], "request")
    assert approval.is_repair


def test_repair_request_entity_names_the_service_and_strategies(
    asking: Asking,
) -> None:
    asking.ask()

    (entity,) = asking.port.upserted
    assert (entity["of"], entity["identifier"]) == ("approval_request", REQUEST)
    assert entity["title"] == "Repair service shop: try to restart, roll back"
    properties = entity["properties"]
    assert (properties["service"], properties["environment"]) == ("shop", "Production")
    assert (properties["status"], properties["requested_by"]) == ("Pending", "Slipway")
    assert properties["run_url"] == properties["service_url"] == PAGE
    assert UNHEALTHY in properties["change"]
    assert "restart\nroll back" in properties["change"]


def test_repair_notifications_name_the_service_and_its_page(
    asking: Asking,
) -> None:
    asking.ask()

    ((approval, _, places, _),) = asking.sent
    assert places.run_url == PAGE
    assert places.request_url.endswith(f"/approval_requestEntity?identifier={REQUEST}")
    text = email_text(approval, places, "https://links.test/live/links/t")
    assert "shop" in subject(approval, "request")
    assert "shop" in text
    assert f"Source of the request: {PAGE}" in text
    assert "shop" in slack_message(approval, places, "request")["text"]


def test_repeated_repair_request_is_stored_once(asking: Asking) -> None:
    first = asking.ask()
    before = asking.request

    again = asking.ask(reason="Something else.")

    assert asking.request == before
    assert again.keys() == first.keys()


def test_approvers_are_notified_once_while_the_request_waits(
    asking: Asking,
) -> None:
    asking.ask()
    asking.take("wait_for_repair", token="token-1")

    asking.ask()

    assert len(asking.sent) == 1


def test_repair_is_not_granted_when_the_policy_has_no_approvers(asking: Asking) -> None:
    no_approver = {"emails": [], "count": 1, "expires_after_seconds": 60}
    set_policy(POLICY | {"default": {"approval": no_approver, "auto_merge": True}})

    answer = asking.ask()

    assert answer["next"] == "Note decision"
    decision = Decision.model_validate(answer["decision"])
    assert not decision.granted
    assert "The policy names no approvers" in decision.sentence
    assert (asking.sent, asking.port.upserted) == ([], [])


def test_repair_asks_default_approvers_when_the_rule_has_none(
    asking: Asking,
) -> None:
    asking.ask(environment="Staging")

    assert asking.request.emails == ("devops@acme.example",)
    assert asking.request.environment == "Staging"


def test_wait_stores_the_token_of_an_open_repair_request(asking: Asking) -> None:
    asking.ask()

    assert asking.take("wait_for_repair", token="token-1") is None

    assert asking.request.token == "token-1"
    assert asking.ended_waits == []


def test_approved_repair_resumes_the_machine_and_is_granted(
    asking: Asking,
) -> None:
    asking.ask()
    asking.take("wait_for_repair", token="token-1")

    asking.vote()
    answer = asking.take("decided_repair")

    assert asking.ended_waits == [("token-1", "Execute")]
    decision = Decision.model_validate(answer["decision"])
    assert (answer["next"], decision.granted) == ("Note decision", True)
    assert decision.at == asking.request.decided_at
    assert "approved by devops@acme.example" in decision.sentence
    assert asking.port.upserted[-1]["properties"]["status"] == "Approved"


def test_declined_repair_is_not_granted_and_has_the_reason(asking: Asking) -> None:
    asking.ask()
    asking.take("wait_for_repair", token="token-1")

    asking.vote("DECLINE")
    decision = asking.take("decided_repair")["decision"]

    assert not decision["granted"]
    assert "declined by devops@acme.example" in decision["sentence"]
    assert "Go on." in decision["sentence"]


def test_wait_ends_at_once_when_the_repair_is_already_decided(
    asking: Asking,
) -> None:
    asking.ask()
    asking.vote()

    asking.take("wait_for_repair", token="token-1")

    assert asking.ended_waits == [("token-1", "Execute")]


def test_reminder_stores_the_token_of_the_second_wait(
    asking: Asking,
) -> None:
    asking.ask()
    asking.take("wait_for_repair", token="token-1")

    assert asking.take("remind_of_repair", token="token-2") is None

    assert (asking.request.token, asking.request.reminded) == ("token-2", True)
    assert [occasion for *_, occasion in asking.sent] == ["request", "reminder"]


def test_reminder_goes_only_to_approvers_without_a_vote(
    asking: Asking,
) -> None:
    two = POLICY["default"]["approval"] | {
        "emails": ["devops@acme.example", "lead@acme.example"],
        "count": 2,
    }
    set_policy(POLICY | {"default": {"approval": two, "auto_merge": True}})
    asking.ask()
    asking.take("wait_for_repair", token="token-1")
    asking.vote(who="lead@acme.test")

    asking.take("remind_of_repair", token="token-2")

    assert [emails for _, emails, _, occasion in asking.sent if occasion == "reminder"] == [
        ["devops@acme.example"]
    ]
    # Without a run, progress appears on no page.
    assert asking.port.logs == []


def test_reminder_is_not_sent_when_the_request_is_decided(
    asking: Asking,
) -> None:
    asking.ask()
    asking.take("wait_for_repair", token="token-1")
    asking.vote()

    asking.take("remind_of_repair", token="token-2")

    assert asking.ended_waits[-1] == ("token-2", "Execute")
    assert len(asking.sent) == 1


def test_expired_repair_request_is_not_granted(asking: Asking) -> None:
    asking.ask()
    asking.take("wait_for_repair", token="token-1")

    answer = asking.take("expire_repair")

    assert answer["next"] == "Note decision"
    assert not answer["decision"]["granted"]
    assert answer["decision"]["sentence"]
    assert asking.request.status is Status.EXPIRED
    assert asking.port.upserted[-1]["properties"]["status"] == "Expired"
    assert asking.take("expire_repair") == answer


def test_approval_counts_when_it_arrives_just_before_expiry(
    asking: Asking,
) -> None:
    asking.ask()
    asking.vote()

    assert asking.take("expire_repair")["decision"]["granted"]
    assert asking.request.status is Status.APPROVED


def test_reading_a_decision_raises_when_the_request_is_undecided(
    asking: Asking,
) -> None:
    asking.ask()

    with pytest.raises(SlipwayError, match="waits for a decision"):
        asking.take("decided_repair")


def test_repair_vote_is_refused_when_not_from_an_approver(asking: Asking) -> None:
    asking.ask()

    with pytest.raises(NotAnApprover):
        asking.vote(who="stranger@acme.example")
