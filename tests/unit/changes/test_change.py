"""The way that a change takes, and what its requester reads."""

import json
from datetime import UTC, datetime, timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from slipway.catalog.planning import NothingToDo
from slipway.changes import change
from slipway.changes.policy import Policy
from slipway.changes.proposal import Proposal
from slipway.config import load
from slipway.errors import (
    BranchTaken,
    EntityExists,
    RetryableError,
    RunEnded,
    UserError,
)
from slipway.github.merging import Merge
from slipway.github.models import Change, PullRequest, Snapshot
from slipway.kafka import KafkaRecord
from slipway.port.message import Requester
from slipway.runs.later import MAX_POSTPONED
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import ActiveRun, RunConfig, RunReporter

from tests import entities
from tests.catalogs.samples import SHIPPED, target_of, tree_of
from tests.fakes.port import FakePort
from tests.fakes.repository import FakeRepository, PullState
from tests.unit.conftest import POLICY, RUN_ID, make_message, set_policy

PATH = "apps/shop/common_values.yaml"
CREATE = {
    "service_name": "shop",
    "owner": "dev@acme.example",
    "team": "payments",
    "project": "atlas",
    "environment": "Test",
    "service_type": "backend",
    "replicas": 1,
    "image_tag": "1.0",
    "values_format": "JSON",
}
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
BRANCH = f"slipway/upscale_service/{RUN_ID}"


class Delivery:
    """A run of *Upscale Service*, delivered as often as a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port, self.repository = FakePort(), FakeRepository()
        self.planned: Proposal | NothingToDo | UserError = self.proposal()
        self.started: list[str] = []
        monkeypatch.setattr(change, "services_repository", lambda config, place: self.repository)
        monkeypatch.setattr(change, "prepare", self.prepare)
        monkeypatch.setattr("slipway.changes.approval_machine.start", self.start)

    def prepare(self, *_: Any) -> Proposal | NothingToDo:
        if isinstance(self.planned, UserError):
            raise self.planned
        return self.planned

    def start(self, machine_arn: str, run_id: str) -> str:
        self.started.append(run_id)
        return run_id

    def proposal(self, *, environment: str = "Production", creates: bool = False) -> Proposal:
        return Proposal(
            action="create_service" if creates else "upscale_service",
            key="service/shop",
            environments=(environment,),
            target=entities.target("upscale_service", "shop"),
            summary="replicas 2 → 3",
            change=Change(
                entity=entities.service_files("shop"),
                branch=BRANCH,
                title="t",
                body="b",
                files={PATH: "replicas: 3\n"},
                creates=creates,
            ),
            base={PATH: None if creates else "a" * 40},
            preview="+replicas: 3",
        )

    def carry_out(
        self, inputs: dict[str, Any] | None = None, record: Any = None, **changes: Any
    ) -> None:
        config = load(RunConfig)
        port: Any = self.port
        ledger = Ledger(config.runs_table)
        request = {"action": "upscale_service", "entity": "shop", "operation": "DAY-2"}
        message = make_message(**{**request, "inputs": inputs or {}, **changes})
        ledger.open(message)
        self.locks = ServiceLocks(config.locks_table, lambda owner: False)
        run = ActiveRun(
            message=message,
            record=KafkaRecord(record or {"value": "first"}, "org_test.runs-0", 0),
            created_by="auth0|1",
            config=config,
            port=port,
            ledger=ledger,
            locks=self.locks,
            report=RunReporter(RUN_ID, message.action, port, ledger),
        )
        change.carry_out(run)

    def asked_for(self, operation: str) -> Event:
        """Return an event that is set when Port receives an operation."""
        asked = Event()
        self.port.fail = lambda name: asked.set() if name == operation else None
        return asked

    def holder(self) -> Any:
        item = self.locks._table.get_item(Key={"service": "service/shop"}).get("Item", {})
        return item.get("owner")

    def stored(self) -> Any:
        key = change.request_key(RUN_ID)
        answer = boto3.client("s3").get_object(Bucket="records", Key=key)
        return json.loads(answer["Body"].read())


@pytest.fixture
def delivery(aws: None, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    return Delivery(monkeypatch)


def test_run_succeeds_when_there_is_nothing_to_do(delivery: Delivery) -> None:
    delivery.planned = NothingToDo(reason="It has 10 replicas already.")

    delivery.carry_out()

    assert delivery.port.updates == [
        {
            "status": "SUCCESS",
            "status_label": "Nothing to do",
            "summary": "It has 10 replicas already.",
        }
    ]
    assert delivery.repository.proposed == []


def test_dry_run_shows_only_the_preview(
    delivery: Delivery,
) -> None:
    delivery.carry_out({"dry_run": True})

    assert "+replicas: 3" in delivery.port.logs[0]
    assert delivery.port.updates[-1]["status"] == "SUCCESS"
    assert delivery.repository.proposed == []
    assert delivery.started == []


def test_dry_run_is_refused_when_the_service_exists(
    delivery: Delivery,
) -> None:
    delivery.planned = delivery.proposal(creates=True)
    delivery.repository.folder = {"common_values.yaml": "replicas: 3\n"}

    with pytest.raises(EntityExists, match="tree/main/apps/shop"):
        delivery.carry_out(
            {**CREATE, "dry_run": True}, action="create_service", entity=None, operation="CREATE"
        )


def test_change_is_proposed_and_merged_without_an_approval(
    delivery: Delivery,
) -> None:
    delivery.planned = delivery.proposal(environment="Test")

    delivery.carry_out()

    assert len(delivery.repository.proposed) == 1
    assert delivery.started == []
    assert delivery.holder() == RUN_ID


@pytest.mark.parametrize(
    ("outcome", "label", "text"),
    [
        (
            Merge("refused", "Merge conflict."),
            "Waiting for the merge of pull request #7",
            "GitHub's reason: Merge conflict.",
        ),
        (Merge("changed"), "Pull request #7 was changed", "differs from the approved change"),
    ],
)
def test_run_shows_what_an_unmerged_pull_request_waits_for(
    delivery: Delivery, outcome: Merge, label: str, text: str
) -> None:
    delivery.planned = delivery.proposal(environment="Test")
    delivery.repository.outcome = outcome

    delivery.carry_out()

    assert delivery.port.labels[-1] == label
    assert text in delivery.port.logs[-1]


def wait(event: Event) -> None:
    assert event.wait(60), "the calls ran one after the other"


def test_entity_is_read_from_port_while_github_is_read(delivery: Delivery) -> None:
    delivery.planned = delivery.proposal(environment="Test", creates=True)
    asked = delivery.asked_for("get_entity")
    # GitHub answers its first query only after the request to Port.
    delivery.repository.before_opening = lambda: wait(asked)

    delivery.carry_out()

    assert len(delivery.repository.proposed) == 1


def test_run_is_updated_while_labels_and_reviewers_are_set(delivery: Delivery) -> None:
    delivery.planned = delivery.proposal(environment="Test")
    shown = delivery.asked_for("update_run")
    delivery.repository.after_opening = lambda: wait(shown)

    delivery.carry_out()

    (update,) = delivery.port.updates
    assert update["status_label"] == "Waiting for the merge of pull request #7"


def test_pull_request_to_another_branch_is_closed(delivery: Delivery) -> None:
    delivery.planned = delivery.proposal(environment="Test")
    delivery.repository.outcome = Merge("retargeted", "It goes elsewhere.")

    delivery.carry_out()

    assert delivery.repository.closed == [BRANCH]


def test_run_shows_that_its_branch_is_taken(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> PullRequest:
        raise BranchTaken(BRANCH, "The branch has commits that Slipway did not make.")

    monkeypatch.setattr(delivery.repository, "propose", refuse)
    delivery.planned = delivery.proposal(environment="Test")

    # Neither a user error nor retryable: the consumer puts the run on hold.
    with pytest.raises(BranchTaken):
        delivery.carry_out()

    assert "commits that Slipway did not make" in delivery.port.logs[-1]
    assert delivery.holder() == RUN_ID


def waiting(delivery: Delivery) -> RetryableError:
    """Carry the run out while GitHub does not merge."""
    delivery.planned = delivery.proposal(environment="Test")
    delivery.repository.outcome = Merge("waiting", "A check is expected.")
    with pytest.raises(RetryableError) as caught:
        delivery.carry_out()
    return caught.value


def test_merge_is_retried_when_github_does_not_allow_it_yet(delivery: Delivery) -> None:
    error = waiting(delivery)

    assert "A check is expected." in str(error)
    assert error.retry_at is not None
    assert timedelta(seconds=20) < error.retry_at - datetime.now(UTC) <= timedelta(seconds=30)
    assert delivery.holder() == RUN_ID


def test_merge_is_retried_less_often_the_longer_it_waits(delivery: Delivery) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        waiting(delivery)
        distances = []
        for _ in range(12):
            error = waiting(delivery)
            assert error.retry_at is not None
            distances.append(error.retry_at - datetime.now(UTC))
            clock.move_to(error.retry_at)

    assert distances[:4] == [timedelta(seconds=30 * 2**n) for n in (0, 0, 1, 2)]
    assert distances[-1] == timedelta(hours=1)


def test_merge_is_not_retried_after_a_day(delivery: Delivery) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        waiting(delivery)
        clock.shift(change.MERGE_WITHIN)
        delivery.carry_out()

    assert delivery.port.labels[-1] == "Waiting for the merge of pull request #7"
    assert delivery.port.logs[-1].endswith("GitHub's reason: A check is expected.")


def test_waiting_merge_shows_its_pull_request_once(delivery: Delivery) -> None:
    waiting(delivery)
    waiting(delivery)

    assert sum("is open" in text for text in delivery.port.logs) == 1


def test_waiting_merge_has_the_full_retry_budget(delivery: Delivery) -> None:
    ledger = Ledger(load(RunConfig).runs_table)
    for _ in range(MAX_POSTPONED):
        ledger.postpone(RUN_ID, NOW, "arn")

    waiting(delivery)

    assert ledger.postpone(RUN_ID, NOW, "arn") == (MAX_POSTPONED + 1, 1)


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_change_writes_nothing_when_its_pull_request_has_ended(
    delivery: Delivery, state: PullState
) -> None:
    delivery.planned = delivery.proposal(environment="Test")
    delivery.repository.put_pull(BRANCH, state)

    delivery.carry_out()

    assert delivery.port.logs == []
    assert delivery.port.updates == []


def test_pull_request_is_closed_when_the_run_ends_concurrently(
    delivery: Delivery,
) -> None:
    delivery.planned = delivery.proposal(environment="Test")
    delivery.port.status = "FAILURE"

    with pytest.raises(RunEnded):
        delivery.carry_out()

    assert delivery.repository.closed == [BRANCH]


def test_approval_machine_starts_when_an_approval_is_needed(
    delivery: Delivery,
) -> None:
    delivery.carry_out()

    assert delivery.started == [RUN_ID]
    assert delivery.stored() == {"value": "first"}
    assert delivery.repository.proposed == []
    assert delivery.port.labels == ["Preparing the approval request"]


def test_first_message_counts_when_the_run_id_repeats(
    delivery: Delivery,
) -> None:
    delivery.carry_out()

    delivery.carry_out(record={"value": "another"})

    assert delivery.stored() == {"value": "first"}


@pytest.mark.parametrize(
    ("without_person", "said"),
    [("two_approvers", "the approval of 2 people"), ("refuse", "machine credentials requested it")],
)
def test_change_without_a_person_needs_more_approvals(
    delivery: Delivery, without_person: str, said: str
) -> None:
    approval = {**POLICY["default"]["approval"], "emails": ["lead@acme.example"]}
    default = {"approval": approval}
    set_policy({**POLICY, "default": default, "without_person": without_person})

    with pytest.raises(UserError, match=said):
        delivery.carry_out(requester=Requester(user_id="wfnr_1"))

    assert delivery.started == []


def test_change_is_refused_when_the_policy_names_no_approver(
    delivery: Delivery,
) -> None:
    approval = {**POLICY["default"]["approval"], "emails": []}
    set_policy({**POLICY, "default": {"approval": approval}})

    with pytest.raises(UserError, match="names no approvers"):
        delivery.carry_out()

    assert delivery.started == []


def test_delete_is_refused_while_other_entities_depend_on_it() -> None:
    target, request = target_of(
        SHIPPED, "delete_service", entity="shop", inputs={"service_name": "shop"}
    )
    said = {"identifier": "shop", "blueprint": "service", "environment": "Test"}
    tree = tree_of(**{"apps/shop/portData.json": json.dumps(said)})
    snapshot = Snapshot(commit="c" * 40, files=tree.files, texts=tree.texts)
    repository: Any = SimpleNamespace(read=lambda *_: snapshot)
    port = SimpleNamespace(dependents=lambda *entity: ["route/of-{}-{}".format(*entity)])
    run: Any = SimpleNamespace(port=port)
    task = change.Task(target, request, repository)

    with pytest.raises(UserError, match="depend on it: route/of-service-shop"):
        change.prepare(run, task, Policy.model_validate(POLICY))


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_redelivery_leaves_the_run_to_its_ended_pull_request(
    delivery: Delivery, state: PullState
) -> None:
    set_policy({**POLICY, "rules": [{"actions": ["*"], "environments": ["*"]}]})
    delivery.carry_out()
    delivery.repository.put_pull(BRANCH, state)
    # The base branch after the merge.
    delivery.planned = NothingToDo(reason="It has 10 replicas already.")
    logged = list(delivery.port.logs)

    delivery.carry_out()

    assert [fields for fields in delivery.port.updates if "status" in fields] == []
    assert delivery.port.logs == logged


@pytest.mark.parametrize("state", ["merged", "closed", "open"])
def test_redelivery_records_an_unrecorded_ended_pull_request(
    delivery: Delivery, state: PullState
) -> None:
    ledger = Ledger(load(RunConfig).runs_table)
    ledger.open(make_message(action="upscale_service", entity="shop", operation="DAY-2"))
    delivery.repository.put_pull(BRANCH, state, url="https://g.test/7")

    delivery.carry_out()

    row = ledger.get(RUN_ID) or {}
    assert (row["service"], row["pr_number"], row["pr_url"]) == (
        "service/shop",
        7,
        "https://g.test/7",
    )


@pytest.mark.parametrize(
    "planned",
    [
        NothingToDo(reason="It has 10 replicas already."),
        UserError("Service 'shop' is not in the services repository."),
    ],
    ids=["there is nothing to do", "it is refused"],
)
def test_redelivery_does_not_end_the_run_after_a_late_merge(
    delivery: Delivery, planned: NothingToDo | UserError
) -> None:
    set_policy({**POLICY, "rules": [{"actions": ["*"], "environments": ["*"]}]})
    delivery.carry_out()
    delivery.planned = planned

    delivery.carry_out()

    assert [fields for fields in delivery.port.updates if "status" in fields] == []
