"""A remediation asks whether it may repair a service: the approval function's own steps."""

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


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entities: list[dict[str, Any]] = []
        self.logs: list[str] = []
        self.sent: list[tuple[Approval, list[str], Any, str]] = []
        self.told: list[tuple[str, str]] = []
        port = SimpleNamespace(
            upsert_entity=lambda blueprint, body: self.entities.append({**body, "of": blueprint}),
            team_members=lambda team: [],
            add_log=lambda run_id, text: self.logs.append(run_id),
        )
        monkeypatch.setattr(function, "port_client", lambda: port)
        monkeypatch.setattr("slipway.approvals.decisions.end_wait", self.tell)
        notifications = SimpleNamespace(send=lambda *notice: self.sent.append(notice))
        monkeypatch.setattr(ApprovalFunction, "notifications", notifications)

    def tell(self, token: str, following: str) -> bool:
        self.told.append((token, following))
        return True

    def take(self, step: str, **event: Any) -> Any:
        # As the machine has it: there is no run.
        return approval_function().run_step({"step": step, "execution": EXECUTION, **event})

    def ask(self, **changes: Any) -> Any:
        return self.take("ask_for_repair", repair=REPAIR | changes)

    def vote(self, verdict: Any = "APPROVE", who: str = "devops@acme.example") -> Approval:
        return approval_function().decisions.decide(REQUEST, Ballot(who, verdict, "Port", "Go on."))

    @property
    def request(self) -> Approval:
        return approval_function().decisions.store.get(REQUEST)


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_given_an_ill_service_when_asked_for_then_the_approvers_are_told_and_waited_for(
    world: World,
) -> None:
    answer = world.ask()

    assert answer["next"] == "Wait for decision"
    assert 2990 <= answer["first_wait"] <= 3000
    assert 595 <= answer["second_wait"] <= 605
    ((approval, emails, _, occasion),) = world.sent
    assert (approval.id, emails, occasion) == (REQUEST, ["devops@acme.example"], "request")
    assert approval.is_repair


def test_given_a_request_then_its_entity_names_the_service_and_what_would_be_tried(
    world: World,
) -> None:
    world.ask()

    (entity,) = world.entities
    assert (entity["of"], entity["identifier"]) == ("approval_request", REQUEST)
    assert entity["title"] == "Repair service shop: try to restart, roll back"
    properties = entity["properties"]
    assert (properties["service"], properties["environment"]) == ("shop", "Production")
    assert (properties["status"], properties["requested_by"]) == ("Pending", "Slipway")
    assert properties["run_url"] == properties["service_url"] == PAGE
    assert UNHEALTHY in properties["change"]
    assert "restart\nroll back" in properties["change"]


def test_given_a_request_then_its_notices_name_the_service_and_lead_to_its_page(
    world: World,
) -> None:
    world.ask()

    ((approval, _, places, _),) = world.sent
    assert places.run_url == PAGE
    assert places.request_url.endswith(f"/approval_requestEntity?identifier={REQUEST}")
    text = email_text(approval, places, "https://links.test/live/links/t")
    assert "shop" in subject(approval, "request")
    assert "shop" in text
    assert f"Source of the request: {PAGE}" in text
    assert "shop" in slack_message(approval, places, "request")["text"]


def test_given_a_request_when_asked_for_again_then_there_is_still_one(world: World) -> None:
    first = world.ask()
    before = world.request

    again = world.ask(reason="Something else.")

    assert world.request == before
    assert again.keys() == first.keys()


def test_given_a_request_that_is_waited_for_when_asked_for_again_then_nobody_is_told_twice(
    world: World,
) -> None:
    world.ask()
    world.take("wait_for_repair", token="token-1")

    world.ask()

    assert len(world.sent) == 1


def test_given_nobody_to_ask_then_that_is_the_decision(world: World) -> None:
    nobody = {"emails": [], "count": 1, "expires_after_seconds": 60}
    set_policy(POLICY | {"default": {"approval": nobody, "auto_merge": True}})

    answer = world.ask()

    assert answer["next"] == "Note decision"
    decision = Decision.model_validate(answer["decision"])
    assert not decision.granted
    assert "The policy names no approvers" in decision.sentence
    assert (world.sent, world.entities) == ([], [])


def test_given_a_rule_that_asks_nobody_when_a_repair_is_asked_for_then_the_default_is_asked(
    world: World,
) -> None:
    world.ask(environment="Staging")

    assert world.request.emails == ("devops@acme.example",)
    assert world.request.environment == "Staging"


def test_given_an_open_request_when_waited_for_then_the_token_is_kept(world: World) -> None:
    world.ask()

    assert world.take("wait_for_repair", token="token-1") is None

    assert world.request.token == "token-1"
    assert world.told == []


def test_given_an_approval_when_decided_then_the_machine_is_told_and_it_is_granted(
    world: World,
) -> None:
    world.ask()
    world.take("wait_for_repair", token="token-1")

    world.vote()
    answer = world.take("decided_repair")

    assert world.told == [("token-1", "Execute")]
    decision = Decision.model_validate(answer["decision"])
    assert (answer["next"], decision.granted) == ("Note decision", True)
    assert decision.at == world.request.decided_at
    assert "approved by devops@acme.example" in decision.sentence
    assert world.entities[-1]["properties"]["status"] == "Approved"


def test_given_a_refusal_when_decided_then_it_is_not_granted_and_says_why(world: World) -> None:
    world.ask()
    world.take("wait_for_repair", token="token-1")

    world.vote("DECLINE")
    decision = world.take("decided_repair")["decision"]

    assert not decision["granted"]
    assert "declined by devops@acme.example" in decision["sentence"]
    assert "Go on." in decision["sentence"]


def test_given_a_decision_before_the_wait_when_waited_for_then_the_machine_is_told_at_once(
    world: World,
) -> None:
    world.ask()
    world.vote()

    world.take("wait_for_repair", token="token-1")

    assert world.told == [("token-1", "Execute")]


def test_given_nobody_has_decided_when_reminded_then_the_second_wait_has_its_token(
    world: World,
) -> None:
    world.ask()
    world.take("wait_for_repair", token="token-1")

    assert world.take("remind_of_repair", token="token-2") is None

    assert (world.request.token, world.request.reminded) == ("token-2", True)
    assert [occasion for *_, occasion in world.sent] == ["request", "reminder"]


def test_given_one_of_two_has_approved_when_reminded_then_only_the_other_one_is(
    world: World,
) -> None:
    two = POLICY["default"]["approval"] | {
        "emails": ["devops@acme.example", "lead@acme.example"],
        "count": 2,
    }
    set_policy(POLICY | {"default": {"approval": two, "auto_merge": True}})
    world.ask()
    world.take("wait_for_repair", token="token-1")
    world.vote(who="lead@acme.test")

    world.take("remind_of_repair", token="token-2")

    assert [emails for _, emails, _, occasion in world.sent if occasion == "reminder"] == [
        ["devops@acme.example"]
    ]
    # There is no run to whose page progress could go.
    assert world.logs == []


def test_given_a_request_that_was_decided_meanwhile_when_reminded_then_nobody_is(
    world: World,
) -> None:
    world.ask()
    world.take("wait_for_repair", token="token-1")
    world.vote()

    world.take("remind_of_repair", token="token-2")

    assert world.told[-1] == ("token-2", "Execute")
    assert len(world.sent) == 1


def test_given_nobody_has_decided_when_it_expires_then_it_is_not_granted(world: World) -> None:
    world.ask()
    world.take("wait_for_repair", token="token-1")

    answer = world.take("expire_repair")

    assert answer["next"] == "Note decision"
    assert not answer["decision"]["granted"]
    assert answer["decision"]["sentence"]
    assert world.request.status is Status.EXPIRED
    assert world.entities[-1]["properties"]["status"] == "Expired"
    assert world.take("expire_repair") == answer


def test_given_a_decision_at_the_last_moment_when_it_expires_then_the_decision_counts(
    world: World,
) -> None:
    world.ask()
    world.vote()

    assert world.take("expire_repair")["decision"]["granted"]
    assert world.request.status is Status.APPROVED


def test_given_nobody_has_decided_when_the_decision_is_read_then_it_is_a_bug(world: World) -> None:
    world.ask()

    with pytest.raises(SlipwayError, match="waits for a decision"):
        world.take("decided_repair")


def test_given_somebody_else_when_voting_then_refused(world: World) -> None:
    world.ask()

    with pytest.raises(NotAnApprover):
        world.vote(who="stranger@acme.example")
