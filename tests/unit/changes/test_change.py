"""How a change is carried out: which way it takes, and what its requester then reads."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from slipway.catalog.planning import NothingToDo
from slipway.changes import change
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
from slipway.port.models import User
from slipway.runs.later import MAX_POSTPONED
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import ActiveRun, RunConfig, RunReporter

from tests import entities
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


class Repository:
    """The services repository: what it was asked, and what it answers."""

    place, url = entities.PLACE, "https://github.test/acme/services"

    def __init__(self) -> None:
        self.proposed: list[Change] = []
        self.closed: list[str] = []
        self.merge_outcome = Merge("merged")
        self.state: Any = "open"
        self.folder: dict[str, str] = {}

    def propose(self, proposed: Change, *, admit: Any, **_: Any) -> PullRequest:
        admit()
        self.proposed.append(proposed)
        return self.find(proposed.branch)

    def find(self, branch: str, **_: Any) -> PullRequest:
        return PullRequest(
            number=7,
            url="https://g.test/7",
            state=self.state,
            head_sha="h",
            opened_at=datetime.now(UTC),
        )

    def merge(self, proposed: Change, number: int, head: str) -> Merge:
        return self.merge_outcome

    def close(self, branch: str, comment: str, **_: Any) -> None:
        self.closed.append(branch)

    def read(self, entity: Any, choose: Any) -> Snapshot:
        return Snapshot(commit="c", files=self.folder, texts={})


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.repository = Repository()
        self.planned: Proposal | NothingToDo | UserError = self.proposal()
        self.logs: list[tuple[str, str | None]] = []
        self.updates: list[dict[str, Any]] = []
        self.started: list[str] = []
        self.ended = False
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
        port: Any = SimpleNamespace(
            add_log=self.add_log,
            update_run=lambda run_id, **fields: self.updates.append(fields),
            get_entity=lambda blueprint, identifier: None,
            team_members=lambda team: [],
            get_user=lambda email: User(id="auth0|1", email=email) if "@" in email else None,
        )
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

    def add_log(self, run_id: str, text: str, *, status_label: str | None = None) -> None:
        if self.ended:
            raise RunEnded("ended")
        self.logs.append((text, status_label))

    def labels(self) -> list[str]:
        return [label for _, label in self.logs if label]

    def holder(self) -> Any:
        item = self.locks._table.get_item(Key={"service": "service/shop"}).get("Item", {})
        return item.get("owner")

    def stored(self) -> Any:
        key = change.request_key(RUN_ID)
        answer = boto3.client("s3").get_object(Bucket="records", Key=key)
        return json.loads(answer["Body"].read())


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_given_nothing_to_do_when_carried_out_then_success_says_so(world: World) -> None:
    world.planned = NothingToDo(reason="It has 10 replicas already.")

    world.carry_out()

    assert world.updates == [
        {
            "status": "SUCCESS",
            "status_label": "Nothing to do",
            "summary": "It has 10 replicas already.",
        }
    ]
    assert world.repository.proposed == []


def test_given_a_dry_run_when_carried_out_then_only_the_preview_is_shown(world: World) -> None:
    world.carry_out({"dry_run": True})

    assert "+replicas: 3" in world.logs[0][0]
    assert world.updates[-1]["status"] == "SUCCESS"
    assert world.repository.proposed == []
    assert world.started == []


def test_given_a_dry_run_of_a_service_that_exists_when_carried_out_then_refused(
    world: World,
) -> None:
    world.planned = world.proposal(creates=True)
    world.repository.folder = {PATH: "a" * 40}

    with pytest.raises(EntityExists, match="tree/main/apps/shop"):
        world.carry_out(
            {**CREATE, "dry_run": True}, action="create_service", entity=None, operation="CREATE"
        )


def test_given_no_approval_is_needed_when_carried_out_then_proposed_and_merged(
    world: World,
) -> None:
    world.planned = world.proposal(environment="Test")

    world.carry_out()

    assert len(world.repository.proposed) == 1
    assert world.started == []
    assert world.holder() == RUN_ID


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
def test_given_github_does_not_merge_when_carried_out_then_the_run_says_what_it_waits_for(
    world: World, outcome: Merge, label: str, text: str
) -> None:
    world.planned = world.proposal(environment="Test")
    world.repository.merge_outcome = outcome

    world.carry_out()

    assert world.labels()[-1] == label
    assert text in world.logs[-1][0]


def test_pull_request_to_another_branch_is_closed(world: World) -> None:
    world.planned = world.proposal(environment="Test")
    world.repository.merge_outcome = Merge("retargeted", "It goes elsewhere.")

    world.carry_out()

    assert world.repository.closed == [BRANCH]


def test_run_says_that_its_branch_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> PullRequest:
        raise BranchTaken(BRANCH, "The branch has commits that Slipway did not make.")

    monkeypatch.setattr(world.repository, "propose", refuse)
    world.planned = world.proposal(environment="Test")

    # Neither wrong nor for later: the consumer puts the run on hold.
    with pytest.raises(BranchTaken):
        world.carry_out()

    assert "commits that Slipway did not make" in world.logs[-1][0]
    assert world.holder() == RUN_ID


def waiting(world: World) -> RetryableError:
    """Carry the run out while GitHub does not merge."""
    world.planned = world.proposal(environment="Test")
    world.repository.merge_outcome = Merge("waiting", "A check is expected.")
    with pytest.raises(RetryableError) as caught:
        world.carry_out()
    return caught.value


def test_merge_is_retried_when_github_does_not_allow_it_yet(world: World) -> None:
    error = waiting(world)

    assert "A check is expected." in str(error)
    assert error.retry_at is not None
    assert timedelta(seconds=20) < error.retry_at - datetime.now(UTC) <= timedelta(seconds=30)
    assert world.holder() == RUN_ID


def test_merge_is_retried_less_often_the_longer_it_waits(world: World) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        waiting(world)
        distances = []
        for _ in range(12):
            error = waiting(world)
            assert error.retry_at is not None
            distances.append(error.retry_at - datetime.now(UTC))
            clock.move_to(error.retry_at)

    assert distances[:4] == [timedelta(seconds=30 * 2**n) for n in (0, 0, 1, 2)]
    assert distances[-1] == timedelta(hours=1)


def test_merge_is_left_to_people_after_a_day(world: World) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        waiting(world)
        clock.shift(change.MERGE_WITHIN)
        world.carry_out()

    assert world.labels()[-1] == "Waiting for the merge of pull request #7"
    assert world.logs[-1][0].endswith("GitHub's reason: A check is expected.")


def test_waiting_merge_shows_its_pull_request_once(world: World) -> None:
    waiting(world)
    waiting(world)

    assert sum("is open" in text for text, _ in world.logs) == 1


def test_waiting_merge_may_be_postponed_as_often_as_a_new_run(world: World) -> None:
    ledger = Ledger(load(RunConfig).runs_table)
    for _ in range(MAX_POSTPONED):
        ledger.postpone(RUN_ID, NOW, "arn")

    waiting(world)

    assert ledger.postpone(RUN_ID, NOW, "arn") == (MAX_POSTPONED + 1, 1)


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_given_a_pull_request_that_is_over_when_carried_out_again_then_nothing_is_written(
    world: World, state: str
) -> None:
    world.planned = world.proposal(environment="Test")
    world.repository.state = state

    world.carry_out()

    assert world.logs == []
    assert world.updates == []


def test_given_the_run_ends_meanwhile_when_carried_out_then_the_pull_request_is_closed(
    world: World,
) -> None:
    world.planned = world.proposal(environment="Test")
    world.ended = True

    with pytest.raises(RunEnded):
        world.carry_out()

    assert world.repository.closed == [BRANCH]


def test_given_an_approval_is_needed_when_carried_out_then_the_machine_asks(world: World) -> None:
    world.carry_out()

    assert world.started == [RUN_ID]
    assert world.stored() == {"value": "first"}
    assert world.repository.proposed == []
    assert world.labels() == ["Preparing the approval request"]


def test_given_the_same_run_id_with_another_message_when_asked_then_the_first_one_counts(
    world: World,
) -> None:
    world.carry_out()

    world.carry_out(record={"value": "another"})

    assert world.stored() == {"value": "first"}


@pytest.mark.parametrize(
    ("without_person", "said"),
    [("two_approvers", "the approval of 2 people"), ("refuse", "machine credentials requested it")],
)
def test_change_without_a_person_needs_more(world: World, without_person: str, said: str) -> None:
    approval = {**POLICY["default"]["approval"], "emails": ["lead@acme.example"]}
    default = {"approval": approval}
    set_policy({**POLICY, "default": default, "without_person": without_person})

    with pytest.raises(UserError, match=said):
        world.carry_out(requester=Requester(user_id="wfnr_1"))

    assert world.started == []


def test_given_nobody_may_approve_when_carried_out_then_nothing_is_started(world: World) -> None:
    approval = {**POLICY["default"]["approval"], "emails": []}
    set_policy({**POLICY, "default": {"approval": approval}})

    with pytest.raises(UserError, match="names no approvers"):
        world.carry_out()

    assert world.started == []


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_given_its_pull_request_has_ended_when_delivered_again_then_nothing_is_planned_anew(
    world: World, state: str
) -> None:
    set_policy({**POLICY, "rules": [{"actions": ["*"], "environments": ["*"]}]})
    world.carry_out()
    world.repository.state = state
    # What the merged change has made of the base branch.
    world.planned = NothingToDo(reason="It has 10 replicas already.")

    world.carry_out()

    assert [fields for fields in world.updates if "status" in fields] == []


@pytest.mark.parametrize("state", ["merged", "closed", "open"])
def test_given_a_delivery_cut_off_after_its_pull_request_when_delivered_again_then_it_is_on_record(
    world: World, state: str
) -> None:
    ledger = Ledger(load(RunConfig).runs_table)
    ledger.open(make_message(action="upscale_service", entity="shop", operation="DAY-2"))
    world.repository.state = state

    world.carry_out()

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
def test_given_a_merge_after_its_pull_request_was_found_when_planned_anew_then_no_end_is_said(
    world: World, planned: NothingToDo | UserError
) -> None:
    set_policy({**POLICY, "rules": [{"actions": ["*"], "environments": ["*"]}]})
    world.carry_out()
    world.planned = planned

    world.carry_out()

    assert [fields for fields in world.updates if "status" in fields] == []
