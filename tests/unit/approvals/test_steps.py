"""The state machine's steps, at points that only a crash reaches."""

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
from slipway.catalog.reading import read_folder
from slipway.changes import change
from slipway.changes.policy import Policy, PolicyVersion
from slipway.changes.proposal import Proposal
from slipway.config import load
from slipway.errors import SlipwayError, UserError
from slipway.github.merging import Merge
from slipway.github.models import Change
from slipway.kafka import KafkaRecord
from slipway.port.message import Requester
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import ActiveRun, RunConfig, RunReporter

from tests import entities
from tests.fakes.port import FakePort
from tests.fakes.repository import FakeRepository
from tests.unit.approvals.conftest import NOW, make_approval
from tests.unit.conftest import POLICY, ROOT, RUN_ID, make_message, put_catalog

PATH = "apps/shop/common_values.yaml"


class ApprovalRun:
    """A run of *Upscale Service* that needs an approval, and the steps of its machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port, self.repository = FakePort(), FakeRepository()
        self.content = "replicas: 3\n"
        self.environment = "Production"
        self.refusal: UserError | None = None
        self.nothing: NothingToDo | None = None
        self.ended_waits: list[tuple[str, str]] = []
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
        self.active = ActiveRun(
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
        monkeypatch.setattr("slipway.approvals.decisions.end_wait", self.end_wait)
        monkeypatch.setattr("slipway.approvals.steps.end_wait", self.end_wait)
        monkeypatch.setattr(change, "services_repository", self.repositories)
        monkeypatch.setattr(change, "prepare", self.prepare)

    def repositories(self, config: Any, place: Any) -> Any:
        return self.repository

    def send(self, occasion: str) -> list[str]:
        self.sent.append(occasion)
        return []

    def end_wait(self, token: str, following: str) -> bool:
        self.ended_waits.append((token, following))
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
            self.active,
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
def run(aws: None, monkeypatch: pytest.MonkeyPatch) -> ApprovalRun:
    return ApprovalRun(monkeypatch)


def test_request_without_a_person_needs_two_approvals(run: ApprovalRun) -> None:
    emails = ["devops@acme.example", "lead@acme.example"]
    approval = {**POLICY["default"]["approval"], "emails": emails}
    run.policy = Policy.model_validate({**POLICY, "default": {"approval": approval}})
    message = run.active.message.model_copy(update={"requester": Requester(user_id="wfnr_1")})
    run.active = replace(run.active, message=message)

    run.waiting()

    assert run.store.get(f"{RUN_ID}.1").needed == 2


def test_repeated_request_keeps_one_row_and_one_notification(
    run: ApprovalRun,
) -> None:
    run.waiting()
    run.content = "replicas: 9\n"

    again = run.take("request")

    assert again["next"] == "Wait"
    assert run.sent == ["request"]
    assert run.store.get(f"{RUN_ID}.1").summary == "replicas 2 → 3"


def test_interrupted_request_is_shown_when_repeated(
    run: ApprovalRun,
) -> None:
    run.take("lock")
    run.take("request")  # and then the answer to the machine was lost

    run.take("request")

    assert run.sent == ["request", "request"]
    assert run.port.entities[f"{RUN_ID}.1"]["status"] == "Pending"


def test_wait_ends_at_once_when_the_request_is_already_decided(
    run: ApprovalRun,
) -> None:
    run.take("lock")
    run.take("request")
    run.decisions.decide(f"{RUN_ID}.1", Ballot("devops@acme.example", "APPROVE", "link"))

    run.take("wait", token="token-1")

    assert run.ended_waits == [("token-1", "Execute")]


def test_second_wait_ends_at_once_when_decided_before_it(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.ended_waits.clear()

    run.take("remind", token="token-2")

    assert run.ended_waits == [("token-2", "Execute")]
    assert run.sent == ["request"]


def test_reminder_withdraws_the_request_when_the_run_has_ended(
    run: ApprovalRun,
) -> None:
    run.waiting()
    run.port.status = "FAILURE"

    run.take("remind", token="token-2")

    assert run.store.get(f"{RUN_ID}.1").status is Status.CANCELLED
    assert ("token-2", "Report") in run.ended_waits


def test_decision_counts_when_it_arrives_just_before_expiry(
    run: ApprovalRun,
) -> None:
    run.approved()
    assert run.take("expire") == {"next": "Execute"}


def test_repeated_execution_opens_one_pull_request_after_a_crash(
    run: ApprovalRun,
) -> None:
    run.approved()

    def crash() -> None:
        raise RuntimeError("killed")

    run.repository.on_propose = crash
    with pytest.raises(RuntimeError):
        run.take("execute")
    run.repository.on_propose = lambda: None

    assert run.take("execute") == {"next": "Done"}
    assert len(run.repository.pulls) == 1
    assert run.repository.merged == [7]
    assert run.holder() == RUN_ID


def test_repeated_execution_only_shows_a_merged_pull_request(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.repository.put_pull(f"slipway/upscale_service/{RUN_ID}", "merged", url="u")

    assert run.take("execute") == {"next": "Done"}
    assert run.repository.merged == []
    request = run.port.entities[f"{RUN_ID}.1"]
    assert (request["status"], request["pr_url"]) == ("Executed", "u")


def test_repeated_execution_does_not_merge_when_the_base_moved(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.take("execute")
    run.repository.merged.clear()
    run.content = "replicas: 8\n"

    assert run.take("execute") == {"next": "Done"}
    assert run.repository.merged == []
    assert run.port.labels[-1] == "Waiting for the merge of pull request #7"


def test_execution_waits_when_github_does_not_merge_yet(run: ApprovalRun) -> None:
    run.approved()
    run.repository.outcome = Merge("waiting", "A check is expected.")

    answer = run.take("execute", can_wait=True)
    again = run.take("execute", can_wait=True)

    assert answer["next"] == again["next"] == "Wait to merge"
    assert datetime.fromisoformat(answer["until"]) > datetime.now(UTC)
    assert "A check is expected." in run.port.logs[-1]
    assert sum("Approved by" in text for text in run.port.logs) == 1


def test_execution_merges_after_it_waited(run: ApprovalRun) -> None:
    run.approved()
    run.repository.outcome = Merge("waiting", "A check is expected.")
    run.take("execute", can_wait=True)

    run.repository.outcome = Merge("merged")

    assert run.take("execute", can_wait=True) == {"next": "Done"}
    assert run.repository.merged == [7, 7]


def test_execution_of_an_older_machine_does_not_wait_to_merge(run: ApprovalRun) -> None:
    run.approved()
    run.repository.outcome = Merge("waiting", "A check is expected.")

    assert run.take("execute") == {"next": "Done"}
    assert run.port.labels[-1] == "Waiting for the merge of pull request #7"


def test_repeated_execution_succeeds_when_its_service_is_deleted(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.take("execute")
    # The change deleted the service, so its folder is missing.
    run.refusal = UserError("Service 'shop' is not in the services repository.")

    assert run.take("execute") == {"next": "Done"}
    assert run.port.ends == {}


def test_execution_closes_its_pull_request_when_the_run_ends(
    run: ApprovalRun,
) -> None:
    run.approved()

    def end() -> None:
        run.port.status = "FAILURE"

    run.repository.on_propose = end

    assert run.take("execute") == {"next": "Report"}
    assert run.repository.closed == [f"slipway/upscale_service/{RUN_ID}"]
    assert run.take("report") == {"next": "Done"}
    assert run.holder() is None


def test_execution_locks_the_service_again_when_it_was_unlocked(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.locks.release("service/shop", RUN_ID)

    run.take("execute")

    assert run.holder() == RUN_ID


def test_run_ends_with_the_reason_when_another_run_owns_the_lock(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.locks.release("service/shop", RUN_ID)
    run.locks.acquire("service/shop", "r_other")

    assert run.take("execute") == {"next": "Report"}
    run.take("report")

    ((status, reason),) = run.port.ends.values()
    assert status == "FAILURE"
    assert "run r_other" in reason
    assert run.holder() == "r_other"


def test_run_succeeds_when_its_change_became_unnecessary(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.nothing = NothingToDo(reason="It runs with 3 replicas already.")

    assert run.take("execute") == {"next": "Request"}
    assert run.take("request") == {"next": "Report"}
    run.take("report")

    assert run.port.ends == {RUN_ID: ("SUCCESS", "It runs with 3 replicas already.")}
    assert run.holder() is None


def test_repeated_report_ends_the_run_once(
    run: ApprovalRun,
) -> None:
    run.waiting()
    run.decisions.decide(f"{RUN_ID}.1", Ballot("devops@acme.example", "DECLINE", "Port", "no"))
    run.take("report")

    assert run.take("report") == {"next": "Done"}

    assert len(run.port.ends) == 1
    assert run.holder() is None


PLACES: list[tuple[str, Callable[[ApprovalRun], Any], str]] = [
    ("new", lambda run: None, "Lock"),
    ("locked", lambda run: run.take("lock"), "Lock"),
    ("waiting", lambda run: run.waiting(), "Request"),
    ("approved", lambda run: run.approved(), "Execute"),
    ("proposed", lambda run: run.proposed(), "Execute"),
    ("refused", lambda run: run.ledger.record_result(RUN_ID, "FAILURE", "l", "r"), "Report"),
    ("ended", lambda run: setattr(run.port, "status", "FAILURE"), "Report"),
]


def test_late_report_keeps_a_successful_run_successful(
    run: ApprovalRun,
) -> None:
    run.proposed()
    run.port.status = "SUCCESS"

    assert run.take("begin") == {"next": "Report"}
    run.take("report")

    assert (run.ledger.get(RUN_ID) or {})["outcome"] == "SUCCESS"


@pytest.mark.parametrize(
    ("arrive", "following"), [(a, f) for _, a, f in PLACES], ids=[name for name, _, _ in PLACES]
)
def test_resumed_run_begins_with_its_first_unfinished_step(
    run: ApprovalRun, arrive: Callable[[ApprovalRun], Any], following: str
) -> None:
    arrive(run)
    assert run.take("begin") == {"next": following}


def test_resumed_run_asks_again_after_its_request_is_superseded(
    run: ApprovalRun,
) -> None:
    run.approved()
    run.content = "replicas: 4\n"
    assert run.take("execute") == {"next": "Request"}

    assert run.take("begin") == {"next": "Request"}
    assert run.take("request")["next"] == "Wait"

    assert run.store.get(f"{RUN_ID}.2").status is Status.PENDING
    assert run.port.entities[f"{RUN_ID}.1"]["status"] == "Superseded"


def test_run_ends_when_its_files_changed_four_times(run: ApprovalRun) -> None:
    run.take("begin")
    run.take("lock")
    for ask in range(1, 5):
        run.take("request")
        run.decisions.decide(
            f"{RUN_ID}.{ask}", Ballot("devops@acme.example", "APPROVE", "Port", "")
        )
        run.content = f"replicas: {ask + 3}\n"
        following = run.take("execute")["next"]

    assert following == "Report"
    assert "changed 4 times" in (run.ledger.get(RUN_ID) or {})["verdict"]["reason"]


@pytest.mark.parametrize("progress", ["approved", "proposed"])
def test_run_ends_when_its_action_leaves_the_catalog(run: ApprovalRun, progress: str) -> None:
    getattr(run, progress)()
    shipped = read_folder(ROOT / "catalog").items()
    left = {path: text for path, text in shipped if "/upscale_service/" not in path}
    newer = {"catalog_version": put_catalog(left)}
    run.active = replace(run.active, config=run.active.config.model_copy(update=newer))

    assert run.take("execute") == {"next": "Report"}

    reason = (run.ledger.get(RUN_ID) or {})["verdict"]["reason"]
    assert "The catalog no longer has the action 'upscale_service'" in reason
    assert run.repository.closed == [f"slipway/upscale_service/{RUN_ID}"]
    assert run.holder() is None


def test_waiting_run_ends_when_its_repository_was_removed(run: ApprovalRun) -> None:
    run.approved()
    place = POLICY["repositories"]["services"]
    run.policy = Policy.model_validate({**POLICY, "repositories": {"other": place}})

    assert run.take("execute") == {"next": "Report"}

    reason = (run.ledger.get(RUN_ID) or {})["verdict"]["reason"]
    assert "'services' is not a repository of this installation" in reason


def test_refusal_is_recorded_before_the_run_ends(
    run: ApprovalRun,
) -> None:
    run.refusal = UserError("The service is not in the repository.")

    assert run.take("request") == {"next": "Report"}

    assert not run.port.ends
    assert (run.ledger.get(RUN_ID) or {})["verdict"]["reason"] == str(run.refusal)


def test_unknown_step_is_refused_by_name(run: ApprovalRun) -> None:
    with pytest.raises(SlipwayError, match="does not have the step 'delete_everything'"):
        run.take("delete_everything")


def test_hold_label_has_the_execution_name_as_its_reference(
    run: ApprovalRun,
) -> None:
    run.waiting()
    run.take("hold", execution=f"{RUN_ID}-2")
    assert run.port.labels[-1] == f"On hold, reference {RUN_ID}-2"
    assert run.holder() == RUN_ID


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
def test_waits_last_until_the_reminder_and_the_expiry(
    expires: int, reminds: int | None, now: float, first: int, second: int
) -> None:
    approval = make_approval(
        expires_at=NOW + timedelta(seconds=expires),
        remind_at=NOW + timedelta(seconds=reminds) if reminds else None,
    )
    found = waits(approval, NOW + timedelta(seconds=now))
    assert found == {"first_wait": first, "second_wait": second}


def test_wait_lasts_until_expiry_when_the_reminder_was_sent() -> None:
    approval = make_approval(remind_at=NOW + timedelta(seconds=60), reminded=True)
    assert waits(approval, NOW) == {"first_wait": 3600, "second_wait": 0}


def test_machine_lists_every_retryable_error() -> None:
    text = Path("terraform/modules/approval/main.tf").read_text()
    (listed,) = [line for line in text.splitlines() if '"PortUnavailable"' in line]
    retryable = {error.__name__ for error in errors.RetryableError.__subclasses__()}

    assert {name for name in retryable | {"RetryableError"} if f'"{name}"' not in listed} == set()
