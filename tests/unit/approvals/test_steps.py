"""The machine's steps, at the points that only a crash reaches."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slipway import errors
from slipway.approvals.audit import AuditTrail
from slipway.approvals.decision import Ballot
from slipway.approvals.decisions import Decisions
from slipway.approvals.models import Status
from slipway.approvals.request import waits
from slipway.approvals.steps import ApprovalSteps
from slipway.approvals.store import ApprovalStore
from slipway.catalog.planning import NothingToDo
from slipway.changes import change
from slipway.changes.policy import Policy, PolicyVersion
from slipway.changes.proposal import Proposal
from slipway.config import load
from slipway.errors import RunEnded, SlipwayError, UserError
from slipway.github.merging import Merge
from slipway.github.models import Change, PullRequest
from slipway.kafka import KafkaRecord
from slipway.port.message import Requester
from slipway.port.models import User
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import ActiveRun, RunConfig, RunReporter

from tests import entities
from tests.unit.approvals.conftest import NOW, make_approval
from tests.unit.conftest import POLICY, RUN_ID, make_message

PATH = "apps/shop/common_values.yaml"


class Port:
    """Port, as far as the steps look at it."""

    def __init__(self) -> None:
        self.status = "IN_PROGRESS"
        self.created_by, self.impersonated_by = "auth0|1", ""
        self.logs: list[str] = []
        self.labels: list[str] = []
        self.ends: list[tuple[str, str]] = []
        self.entities: dict[str, dict[str, Any]] = {}

    @property
    def ended(self) -> bool:
        return self.status != "IN_PROGRESS"

    def get_run(self, run_id: str) -> Any:
        return self

    def add_log(self, run_id: str, message: str, *, status_label: str | None = None) -> None:
        self._writable()
        self.logs.append(message)
        self.labels += [status_label] if status_label else []

    def update_run(self, run_id: str, **fields: Any) -> None:
        self._writable()
        if fields.get("status_label"):
            self.labels.append(fields["status_label"])
        if fields.get("status"):
            self.status = fields["status"]
            self.ends.append((fields["status"], fields["summary"]))

    def upsert_entity(self, blueprint: str, body: dict[str, Any], *, run_id: str) -> None:
        self.entities.setdefault(body["identifier"], {}).update(body["properties"])

    def team_members(self, team: str) -> list[str]:
        return []

    def get_user(self, email: str) -> User | None:
        return User(id="auth0|1", email=email) if email == "dev@acme.example" else None

    def _writable(self) -> None:
        if self.ended:
            raise RunEnded("ended")


class Repository:
    """The services repository, as far as the steps look at it."""

    def __init__(self) -> None:
        self.pulls: dict[str, PullRequest] = {}
        self.closed: list[str] = []
        self.merged: list[int] = []
        self.outcome = Merge("merged")
        self.on_propose: Callable[[], None] = lambda: None

    def find(self, branch: str, **_: Any) -> PullRequest | None:
        return self.pulls.get(branch)

    def propose(self, proposed: Change, *, admit: Any, **_: Any) -> PullRequest:
        if proposed.branch not in self.pulls:
            admit()
            pull = PullRequest(
                number=7, url="https://g.test/7", state="open", head_sha="h", opened_at=NOW
            )
            self.pulls[proposed.branch] = pull
        self.on_propose()
        return self.pulls[proposed.branch]

    def merge(self, proposed: Change, number: int, head: str) -> Merge:
        self.merged.append(number)
        return self.outcome

    def close(self, branch: str, comment: str, **_: Any) -> None:
        self.closed.append(branch)


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port, self.repository = Port(), Repository()
        self.content = "replicas: 3\n"
        self.environment = "Production"
        self.refusal: UserError | None = None
        self.nothing: NothingToDo | None = None
        self.told: list[tuple[str, str]] = []
        self.sent: list[str] = []
        self.policy = Policy.model_validate(POLICY)
        config = load(RunConfig)
        port: Any = self.port
        self.ledger = Ledger(config.runs_table)
        message = make_message(
            action="upscale_service", entity="shop", operation="DAY-2", inputs={"step": 1}
        )
        self.ledger.open(message)
        self.locks = ServiceLocks(config.locks_table, lambda owner: owner.id == "gone")
        self.run = ActiveRun(
            message=message,
            record=KafkaRecord({}, "org_test.runs-0", 0),
            created_by="",
            config=config,
            port=port,
            ledger=self.ledger,
            locks=self.locks,
            report=RunReporter(RUN_ID, message.action, port, self.ledger),
        )
        self.store = ApprovalStore("approvals", "records")
        self.decisions = Decisions(
            self.store, AuditTrail("audit"), port, lambda: PolicyVersion(self.policy, "v1")
        )
        monkeypatch.setattr("slipway.approvals.decisions.end_wait", self.tell)
        monkeypatch.setattr("slipway.approvals.steps.end_wait", self.tell)
        monkeypatch.setattr(change, "services_repository", self.repositories)
        monkeypatch.setattr(change, "prepare", self.prepare)

    def repositories(self, config: Any, place: Any) -> Any:
        return self.repository

    def send(self, occasion: str) -> list[str]:
        self.sent.append(occasion)
        return []

    def tell(self, token: str, following: str) -> bool:
        self.told.append((token, following))
        return True

    def prepare(self, run: Any, repository: Any, policy: Any) -> Proposal | NothingToDo:
        if self.refusal:
            raise self.refusal
        if self.nothing:
            return self.nothing
        return Proposal(
            action="upscale_service",
            key="service/shop",
            environments=(self.environment,),
            target=entities.target("upscale_service", "shop"),
            summary="replicas 2 → 3",
            change=Change(
                entity=entities.service_files("shop"),
                branch=f"slipway/upscale_service/{RUN_ID}",
                title="t",
                body="b",
                files={PATH: self.content},
            ),
            base={PATH: "a" * 40},
            preview="-replicas: 2\n+replicas: 3",
        )

    def take(self, step: str, **event: Any) -> Any:
        notifications: Any = SimpleNamespace(
            send=lambda approval, approvers, places, occasion: self.send(occasion)
        )
        steps = ApprovalSteps(
            self.run,
            self.decisions,
            notifications,
            lambda: PolicyVersion(self.policy, "v1"),
            "https://l.test",
        )
        return steps.run({"step": step, **event})

    def waiting(self) -> None:
        assert self.take("begin") == {"next": "Lock"}
        assert self.take("lock") == {"next": "Request"}
        assert self.take("request")["next"] == "Wait"
        self.take("wait", token="token-1")

    def approved(self) -> None:
        self.waiting()
        self.decisions.decide(f"{RUN_ID}.1", Ballot("devops@acme.example", "APPROVE", "Port", "ok"))

    def proposed(self) -> None:
        self.approved()
        self.take("execute")

    def holder(self) -> Any:
        return (
            self.locks._table.get_item(Key={"service": "service/shop"}).get("Item", {}).get("owner")
        )


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_request_without_a_person_needs_two_approvals(world: World) -> None:
    emails = ["devops@acme.example", "lead@acme.example"]
    approval = {**POLICY["default"]["approval"], "emails": emails}
    world.policy = Policy.model_validate({**POLICY, "default": {"approval": approval}})
    message = world.run.message.model_copy(update={"requester": Requester(user_id="wfnr_1")})
    world.run = replace(world.run, message=message)

    world.waiting()

    assert world.store.get(f"{RUN_ID}.1").needed == 2


def test_given_a_request_when_asked_again_after_a_crash_then_there_is_one_row_and_one_notice(
    world: World,
) -> None:
    world.waiting()
    world.content = "replicas: 9\n"

    again = world.take("request")

    assert again["next"] == "Wait"
    assert world.sent == ["request"]
    assert world.store.get(f"{RUN_ID}.1").summary == "replicas 2 → 3"


def test_given_a_crash_before_the_request_was_shown_when_repeated_then_it_is_shown(
    world: World,
) -> None:
    world.take("lock")
    world.take("request")  # and then the machine did not get the answer

    world.take("request")

    assert world.sent == ["request", "request"]
    assert world.port.entities[f"{RUN_ID}.1"]["status"] == "Pending"


def test_given_a_decision_before_the_machine_waits_when_it_begins_to_then_it_is_told_at_once(
    world: World,
) -> None:
    world.take("lock")
    world.take("request")
    world.decisions.decide(f"{RUN_ID}.1", Ballot("devops@acme.example", "APPROVE", "link"))

    world.take("wait", token="token-1")

    assert world.told == [("token-1", "Execute")]


def test_given_a_decision_while_reminding_when_the_second_wait_begins_then_it_is_told(
    world: World,
) -> None:
    world.approved()
    world.told.clear()

    world.take("remind", token="token-2")

    assert world.told == [("token-2", "Execute")]
    assert world.sent == ["request"]


def test_given_the_run_was_ended_unnoticed_when_reminding_then_the_request_is_withdrawn(
    world: World,
) -> None:
    world.waiting()
    world.port.status = "FAILURE"

    world.take("remind", token="token-2")

    assert world.store.get(f"{RUN_ID}.1").status is Status.CANCELLED
    assert ("token-2", "Report") in world.told


def test_given_a_decision_just_before_the_end_when_it_expires_then_the_decision_counts(
    world: World,
) -> None:
    world.approved()
    assert world.take("expire") == {"next": "Execute"}


def test_given_a_crash_after_the_pull_request_when_executed_again_then_there_is_one(
    world: World,
) -> None:
    world.approved()

    def crash() -> None:
        raise RuntimeError("killed")

    world.repository.on_propose = crash
    with pytest.raises(RuntimeError):
        world.take("execute")
    world.repository.on_propose = lambda: None

    assert world.take("execute") == {"next": "Done"}
    assert len(world.repository.pulls) == 1
    assert world.repository.merged == [7]
    assert world.holder() == RUN_ID


def test_given_a_merged_pull_request_when_executed_again_then_it_is_only_shown(
    world: World,
) -> None:
    world.approved()
    branch = f"slipway/upscale_service/{RUN_ID}"
    world.repository.pulls[branch] = PullRequest(
        number=7, url="u", state="merged", head_sha="h", opened_at=NOW
    )

    assert world.take("execute") == {"next": "Done"}
    assert world.repository.merged == []
    request = world.port.entities[f"{RUN_ID}.1"]
    assert (request["status"], request["pr_url"]) == ("Executed", "u")


def test_given_the_base_moved_below_an_open_pull_request_when_executed_again_then_not_merged(
    world: World,
) -> None:
    world.approved()
    world.take("execute")
    world.repository.merged.clear()
    world.content = "replicas: 8\n"

    assert world.take("execute") == {"next": "Done"}
    assert world.repository.merged == []
    assert world.port.labels[-1] == "Waiting for the merge of pull request #7"


def test_execution_waits_when_github_does_not_merge_yet(world: World) -> None:
    world.approved()
    world.repository.outcome = Merge("waiting", "A check is expected.")

    answer = world.take("execute", can_wait=True)
    again = world.take("execute", can_wait=True)

    assert answer["next"] == again["next"] == "Wait to merge"
    assert datetime.fromisoformat(answer["until"]) > datetime.now(UTC)
    assert "A check is expected." in world.port.logs[-1]
    assert sum("Approved by" in text for text in world.port.logs) == 1


def test_execution_merges_after_it_waited(world: World) -> None:
    world.approved()
    world.repository.outcome = Merge("waiting", "A check is expected.")
    world.take("execute", can_wait=True)

    world.repository.outcome = Merge("merged")

    assert world.take("execute", can_wait=True) == {"next": "Done"}
    assert world.repository.merged == [7, 7]


def test_execution_of_an_older_machine_leaves_the_merge(world: World) -> None:
    world.approved()
    world.repository.outcome = Merge("waiting", "A check is expected.")

    assert world.take("execute") == {"next": "Done"}
    assert world.port.labels[-1] == "Waiting for the merge of pull request #7"


def test_given_a_merge_after_the_pull_request_was_found_when_executed_again_then_it_is_shown(
    world: World,
) -> None:
    world.approved()
    world.take("execute")
    # The change was to delete the service: its folder is gone.
    world.refusal = UserError("Service 'shop' is not in the services repository.")

    assert world.take("execute") == {"next": "Done"}
    assert world.port.ends == []


def test_given_the_run_ends_while_the_pull_request_is_made_then_it_is_closed(
    world: World,
) -> None:
    world.approved()

    def end() -> None:
        world.port.status = "FAILURE"

    world.repository.on_propose = end

    assert world.take("execute") == {"next": "Report"}
    assert world.repository.closed == [f"slipway/upscale_service/{RUN_ID}"]
    assert world.take("report") == {"next": "Done"}
    assert world.holder() is None


def test_given_an_operator_freed_the_service_when_executed_then_it_is_taken_again(
    world: World,
) -> None:
    world.approved()
    world.locks.release("service/shop", RUN_ID)

    world.take("execute")

    assert world.holder() == RUN_ID


def test_given_somebody_else_took_the_service_when_executed_then_the_run_ends_with_the_reason(
    world: World,
) -> None:
    world.approved()
    world.locks.release("service/shop", RUN_ID)
    world.locks.acquire("service/shop", "r_other")

    assert world.take("execute") == {"next": "Report"}
    world.take("report")

    ((status, reason),) = world.port.ends
    assert status == "FAILURE"
    assert "run r_other" in reason
    assert world.holder() == "r_other"


def test_given_a_change_that_is_needless_meanwhile_when_asked_again_then_success(
    world: World,
) -> None:
    world.approved()
    world.nothing = NothingToDo(reason="It runs with 3 replicas already.")

    assert world.take("execute") == {"next": "Request"}
    assert world.take("request") == {"next": "Report"}
    world.take("report")

    assert world.port.ends == [("SUCCESS", "It runs with 3 replicas already.")]
    assert world.holder() is None


def test_given_the_report_is_cut_off_when_repeated_then_the_run_ended_once(world: World) -> None:
    world.waiting()
    world.decisions.decide(f"{RUN_ID}.1", Ballot("devops@acme.example", "DECLINE", "Port", "no"))
    world.take("report")

    assert world.take("report") == {"next": "Done"}

    assert len(world.port.ends) == 1
    assert world.holder() is None


PLACES: list[tuple[str, Callable[[World], Any], str]] = [
    ("new", lambda world: None, "Lock"),
    ("locked", lambda world: world.take("lock"), "Lock"),
    ("waiting", lambda world: world.waiting(), "Request"),
    ("approved", lambda world: world.approved(), "Execute"),
    ("proposed", lambda world: world.proposed(), "Execute"),
    ("refused", lambda world: world.ledger.record_result(RUN_ID, "FAILURE", "l", "r"), "Report"),
    ("ended", lambda world: setattr(world.port, "status", "FAILURE"), "Report"),
]


def test_given_a_run_that_succeeded_when_a_late_execution_reports_then_it_stays_a_success(
    world: World,
) -> None:
    world.proposed()
    world.port.status = "SUCCESS"

    assert world.take("begin") == {"next": "Report"}
    world.take("report")

    assert (world.ledger.get(RUN_ID) or {})["outcome"] == "SUCCESS"


@pytest.mark.parametrize(
    ("arrive", "following"), [(a, f) for _, a, f in PLACES], ids=[name for name, _, _ in PLACES]
)
def test_given_a_run_that_stopped_anywhere_when_resumed_then_it_begins_with_what_is_not_done(
    world: World, arrive: Callable[[World], Any], following: str
) -> None:
    arrive(world)
    assert world.take("begin") == {"next": following}


def test_given_a_changed_file_when_resumed_after_superseding_then_it_asks_again(
    world: World,
) -> None:
    world.approved()
    world.content = "replicas: 4\n"
    assert world.take("execute") == {"next": "Request"}

    assert world.take("begin") == {"next": "Request"}
    assert world.take("request")["next"] == "Wait"

    assert world.store.get(f"{RUN_ID}.2").status is Status.PENDING
    assert world.port.entities[f"{RUN_ID}.1"]["status"] == "Superseded"


def test_run_ends_when_its_files_changed_four_times(world: World) -> None:
    world.take("begin")
    world.take("lock")
    for ask in range(1, 5):
        world.take("request")
        world.decisions.decide(
            f"{RUN_ID}.{ask}", Ballot("devops@acme.example", "APPROVE", "Port", "")
        )
        world.content = f"replicas: {ask + 3}\n"
        following = world.take("execute")["next"]

    assert following == "Report"
    assert "changed 4 times" in (world.ledger.get(RUN_ID) or {})["verdict"]["reason"]


def test_given_a_refusal_when_requesting_then_it_is_noted_before_the_run_is_ended(
    world: World,
) -> None:
    world.refusal = UserError("The service is not in the repository.")

    assert world.take("request") == {"next": "Report"}

    assert not world.port.ends
    assert (world.ledger.get(RUN_ID) or {})["verdict"]["reason"] == str(world.refusal)


def test_given_an_unknown_step_when_taken_then_it_is_named(world: World) -> None:
    with pytest.raises(SlipwayError, match="does not have the step 'delete_everything'"):
        world.take("delete_everything")


def test_given_a_failed_execution_when_held_then_its_name_is_the_reference(world: World) -> None:
    world.waiting()
    world.take("hold", execution=f"{RUN_ID}-2")
    assert world.port.labels[-1] == f"On hold, reference {RUN_ID}-2"
    assert world.holder() == RUN_ID


@pytest.mark.parametrize(
    ("expires", "reminds", "now", "first", "second"),
    [
        (3600, 3000, 0, 3000, 600),
        (3600, None, 0, 3600, 0),
        (10, 5, 4.2, 1, 5),
        (10, 5, 7, 1, 2),
        (10, 5, 11, 1, 1),
        (10, None, 30, 1, 0),
    ],
)
def test_given_absolute_times_when_the_machine_waits_then_what_is_left(
    expires: int, reminds: int | None, now: float, first: int, second: int
) -> None:
    approval = make_approval(
        expires_at=NOW + timedelta(seconds=expires),
        remind_at=NOW + timedelta(seconds=reminds) if reminds else None,
    )
    found = waits(approval, NOW + timedelta(seconds=now))
    assert found == {"first_wait": first, "second_wait": second}


def test_given_a_reminder_was_sent_when_the_machine_waits_again_then_only_for_the_end() -> None:
    approval = make_approval(remind_at=NOW + timedelta(seconds=60), reminded=True)
    assert waits(approval, NOW) == {"first_wait": 3600, "second_wait": 0}


def test_given_the_machine_when_a_step_must_be_repeated_then_every_such_error_is_listed() -> None:
    text = Path("terraform/modules/approval/main.tf").read_text()
    (listed,) = [line for line in text.splitlines() if '"PortUnavailable"' in line]
    retryable = {error.__name__ for error in errors.RetryableError.__subclasses__()}

    assert {name for name in retryable | {"RetryableError"} if f'"{name}"' not in listed} == set()
