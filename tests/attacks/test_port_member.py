"""The member of the Port organisation: runs actions, edits entities, and once was an approver."""

from types import SimpleNamespace
from typing import Any

import pytest
from slipway.approvals import function
from slipway.approvals.decision import Ballot
from slipway.approvals.function import ApprovalFunction, approval_function
from slipway.approvals.models import Status
from slipway.changes.policy import Policy
from slipway.changes.proposal import LONGEST_PREVIEW
from slipway.changes.repair import repair_hash
from slipway.errors import NotAnApprover, OwnRequest
from slipway.health.row import execution_name
from slipway.port.models import User

from tests.attacks.deciding import DECISION, REQUEST, decide_in_port
from tests.fakes.port import FakePort
from tests.unit.approvals import test_function
from tests.unit.approvals.test_steps import ApprovalRun
from tests.unit.conftest import POLICY, RUN_ID, set_policy
from tests.unit.health import remedy
from tests.unit.health.story import UNHEALTHY

# The warning of Powertools in a function without metrics.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")
CODE = "0123456789"
decisions = test_function.pending
APPROVAL: dict[str, Any] = POLICY["default"]["approval"]
EXECUTION = execution_name("shop", 3)
REPAIR = {
    "service": "shop",
    "environment": "Production",
    "reason": "The health URL answered 503, not a 2xx.",
    "strategies": ["restart"],
    "planned": [{"sentence": "Restart it.", "digests": ["d"]}],
}


def ask_of(*, auto_merge: bool = True, **changes: Any) -> Policy:
    """Return a policy with other approvers."""
    default = {"approval": APPROVAL | changes, "auto_merge": auto_merge}
    return Policy.model_validate(POLICY | {"default": default})


@pytest.fixture
def run(aws: None, monkeypatch: pytest.MonkeyPatch) -> ApprovalRun:
    """Make a run that needs the approval of devops@acme.example."""
    return ApprovalRun(monkeypatch)


# -- spellings


@pytest.mark.parametrize(
    ("listed", "mine"),
    [
        ("devops@acme.example", "devops+mine@acme.example"),
        ("strasse@acme.example", "straße@acme.example"),
        ("devops@acme.example", "ｄｅｖｏｐｓ@acme.example"),
        ("devops@acme.example", " devops@acme.example"),
        ("devops@acme.example", "DEVOPS@acme.example".replace("S", "ſ")),
    ],
)
def test_address_like_an_approvers_grants_nothing(run: ApprovalRun, listed: str, mine: str) -> None:
    run.policy = ask_of(emails=[listed])
    run.waiting()

    with pytest.raises(NotAnApprover):
        run.decisions.decide(REQUEST, Ballot(mine, "APPROVE", "REST API"))


def test_address_of_an_unlisted_domain_grants_nothing(run: ApprovalRun) -> None:
    run.waiting()

    with pytest.raises(NotAnApprover):
        run.decisions.decide(REQUEST, Ballot("devops@acme.com", "APPROVE", "REST API"))


def test_address_of_a_listed_domain_grants_the_approval(run: ApprovalRun) -> None:
    run.waiting()

    voted = run.decisions.decide(REQUEST, Ballot("DevOps@acme.test", "APPROVE", "REST API"))

    assert voted.status is Status.APPROVED


def test_team_of_a_similar_address_grants_nothing(
    run: ApprovalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.policy = ask_of(emails=[], teams=["sre"])
    found = User(id="auth0|2", email="lead@acme.example", teams=["sre"])
    run.port.people.append(found)
    run.waiting()
    # Port may ignore the case and the tag of an address when it finds people.
    monkeypatch.setattr(run.port, "get_user", lambda _email: found)

    with pytest.raises(NotAnApprover):
        run.decisions.decide(REQUEST, Ballot("lead+x@acme.example", "APPROVE", "REST API"))


# -- a policy that has become stricter


def test_dropped_approver_cannot_approve(run: ApprovalRun) -> None:
    run.waiting()
    run.policy = ask_of(emails=["lead@acme.example"])

    with pytest.raises(NotAnApprover):
        run.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))


def test_vote_of_a_dropped_approver_does_not_count(run: ApprovalRun) -> None:
    run.policy = ask_of(emails=["devops@acme.example", "lead@acme.example"], count=2)
    run.waiting()
    run.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))
    run.policy = ask_of(emails=["lead@acme.example", "boss@acme.example"], count=2)

    voted = run.decisions.decide(REQUEST, Ballot("lead@acme.example", "APPROVE", "link"))

    assert (voted.status, voted.approvals, voted.needed) == (Status.PENDING, 1, 2)


def test_raised_count_applies_to_pending_requests(run: ApprovalRun) -> None:
    run.waiting()
    run.policy = ask_of(emails=["devops@acme.example", "lead@acme.example"], count=2)

    voted = run.decisions.decide(REQUEST, Ballot("devops@acme.example", "APPROVE", "link"))

    assert voted.status is Status.PENDING


def test_approval_of_a_dropped_approver_changes_nothing(run: ApprovalRun) -> None:
    run.approved()
    run.policy = ask_of(emails=["lead@acme.example"])

    assert run.take("execute") == {"next": "Request"}

    assert run.repository.pulls == {}
    assert run.store.get(REQUEST).status is Status.SUPERSEDED
    assert run.take("request")["next"] == "Wait"
    assert run.store.get(f"{RUN_ID}.2").emails == ("lead@acme.example",)


def test_withdrawn_auto_merge_applies_to_approved_requests(run: ApprovalRun) -> None:
    run.approved()
    run.policy = ask_of(auto_merge=False)

    assert run.take("execute") == {"next": "Done"}

    assert len(run.repository.pulls) == 1
    assert run.repository.merged == []


def test_approval_for_test_does_not_count_in_production(run: ApprovalRun) -> None:
    run.environment = "Test"
    run.approved()
    run.environment = "Production"

    assert run.take("execute") == {"next": "Request"}

    assert run.repository.pulls == {}


# -- the repair of a service that the approver made unhealthy


class Repairs:
    """The approval function as a remediation calls it, and the people in Port."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        port = FakePort()
        port.people += [
            User(id="auth0|2", email="devops@acme.example"),
            User(id="auth0|3", email="lead@acme.example"),
        ]
        monkeypatch.setattr(function, "port_client", lambda: port)
        silent = SimpleNamespace(send=lambda *_notice: [])
        monkeypatch.setattr(ApprovalFunction, "notifications", silent)

    def take(self, step: str, **event: Any) -> Any:
        payload = {"step": step, "execution": EXECUTION, **event}
        return approval_function().run_step(payload)

    def vote(self, person: str) -> None:
        approval_function().decisions.decide(f"{EXECUTION}.1", Ballot(person, "APPROVE", "Port"))


@pytest.fixture
def repairs(aws: None, monkeypatch: pytest.MonkeyPatch) -> Repairs:
    """Two people may approve repairs."""
    policy = ask_of(emails=["devops@acme.example", "lead@acme.example"])
    set_policy(policy.model_dump(mode="json"))
    return Repairs(monkeypatch)


def test_cause_of_a_repair_cannot_approve_it(repairs: Repairs) -> None:
    repairs.take("ask_for_repair", repair=REPAIR | {"causes": ["auth0|2", "client@clients"]})

    with pytest.raises(OwnRequest, match="changed this entity"):
        repairs.vote("devops@acme.test")
    repairs.vote("lead@acme.example")

    assert repairs.take("decided_repair")["decision"]["granted"]


def test_repair_is_not_requested_when_only_its_cause_may_approve(repairs: Repairs) -> None:
    causes = ["auth0|2", "auth0|3"]

    answer = repairs.take("ask_for_repair", repair=REPAIR | {"causes": causes})

    assert answer["next"] == "Note decision"
    assert not answer["decision"]["granted"]


@pytest.fixture
def unhealthy_service(aws: None, monkeypatch: pytest.MonkeyPatch) -> remedy.World:
    """Make a service with a running remediation."""
    return remedy.World(monkeypatch)


def test_remediation_names_who_changed_the_entity(
    unhealthy_service: remedy.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = unhealthy_service
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = lambda: UNHEALTHY
    read = world.port.get_entity
    monkeypatch.setattr(
        world.port,
        "get_entity",
        lambda *path: (
            found.model_copy(update={"updated_by": "auth0|writer"})
            if (found := read(*path))
            else None
        ),
    )

    world.become_unhealthy().until("Ask").advance()

    (asked,) = world.asked
    # "u" is `trigger.by` of the record.
    assert {"u", "auth0|writer"} <= set(asked["causes"])


def test_repair_is_bound_to_the_shown_files(unhealthy_service: remedy.World) -> None:
    world = unhealthy_service
    scale_up = {"kind": "scale_up", "step": 1, "max_replicas": 5, "wait_seconds": 5}
    world.set_policy(environments=["Test"], approval_environments=["Test"], strategies=[scale_up])
    world.look = lambda: UNHEALTHY

    def decide() -> dict[str, Any]:
        world.github.folder["common_values.json"] = '{"replicas": 2, "image": "mine"}'
        return world.decision(granted=True)

    world.decide = decide

    world.become_unhealthy().run()

    assert world.github.proposed == []
    (asked,) = world.asked
    assert '+{"replicas": 3}' in asked["planned"][0]["preview"]
    assert "other files than the approved ones" in world.entity["health_detail"]


def test_repair_without_a_shown_diff_is_not_made(unhealthy_service: remedy.World) -> None:
    world = unhealthy_service
    scale_up = {"kind": "scale_up", "step": 1, "max_replicas": 5, "wait_seconds": 5}
    world.set_policy(environments=["Test"], approval_environments=["Test"], strategies=[scale_up])
    world.look = lambda: UNHEALTHY
    note = "x" * LONGEST_PREVIEW
    world.github.folder["common_values.json"] = f'{{"note": "{note}", "replicas": 2}}'

    world.become_unhealthy().run()

    (asked,) = world.asked
    assert "too long to show" in asked["planned"][0]["sentence"]
    assert world.github.proposed == []


def test_decision_on_another_plan_grants_no_repair(unhealthy_service: remedy.World) -> None:
    world = unhealthy_service
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = lambda: UNHEALTHY
    other = repair_hash(remedy.SERVICE, "another execution", ["d"])
    world.decide = lambda: world.decision(granted=True) | {"change_hash": other}

    world.become_unhealthy().run()

    assert world.github.restarted == []


# -- what was shown


def test_truncated_diff_cannot_be_approved_by_ports_view(
    decisions: test_function.PendingRun,
) -> None:
    decisions.waits(code=CODE)

    # The hash of the change is a property of the request's entity.
    decide_in_port(decisions, change="f" * 64)

    assert decisions.status() is Status.PENDING
    (ended,) = decisions.updates(DECISION)
    assert "the code at the end of the full diff" in ended["summary"]


def test_truncated_diff_is_approved_with_the_full_diffs_code(
    decisions: test_function.PendingRun,
) -> None:
    decisions.waits(code=CODE)

    decide_in_port(decisions, change=CODE)

    assert decisions.status() is Status.APPROVED


def test_approval_of_another_change_is_refused(
    decisions: test_function.PendingRun,
) -> None:
    decisions.waits()

    decide_in_port(decisions, change="0" * 64)

    assert decisions.status() is Status.PENDING
    (ended,) = decisions.updates(DECISION)
    assert "differs from the one that you were shown" in ended["summary"]


@pytest.mark.parametrize("change", ["", " "])
def test_approval_without_the_shown_change_is_refused(
    decisions: test_function.PendingRun, change: str
) -> None:
    decisions.waits()

    decide_in_port(decisions, change=change)

    assert decisions.status() is Status.PENDING


def test_truncated_diff_can_be_declined_without_its_code(
    decisions: test_function.PendingRun,
) -> None:
    decisions.waits(code=CODE)

    decide_in_port(decisions, verdict="DECLINE", change="no")

    assert decisions.status() is Status.DECLINED
