"""Upgrades and waiting approvals: current steps continue what an older release left."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from slipway.approvals.decision import Ballot
from slipway.approvals.function import approval_function
from slipway.approvals.models import Status
from slipway.github.merging import Merge

from tests.releases import RELEASES, ROOT, fill, read_machine
from tests.unit.approvals import test_permission as repairs
from tests.unit.approvals.test_steps import ApprovalRun
from tests.unit.conftest import RUN_ID

CURRENT = ROOT / "terraform/modules/approval/definition.asl.json"
DEFINITIONS = [*(release / "approval.asl.json" for release in RELEASES), CURRENT]
CASES = [(file, state) for file in DEFINITIONS for state in read_machine(file).payloads]
REMEDIATION = ROOT / "terraform/modules/remediation/definition.asl.json"
REPAIRS = [
    (file, state)
    for file in (*(release / "remediation.asl.json" for release in RELEASES), REMEDIATION)
    for state in read_machine(file).calls("approvals")
]


@pytest.fixture
def run(aws: None, monkeypatch: pytest.MonkeyPatch) -> ApprovalRun:
    return ApprovalRun(monkeypatch)


@pytest.mark.parametrize(
    ("file", "state"), CASES, ids=[f"{file.parent.name}-{state}" for file, state in CASES]
)
def test_released_machine_understands_every_step_answer(
    run: ApprovalRun, file: Path, state: str
) -> None:
    machine = read_machine(file)
    values = {"$.run_id": RUN_ID, "$$.Execution.Name": RUN_ID, "$$.Task.Token": "token-2"}
    event: dict[str, Any] = fill(machine.payloads[state], values)
    run.approved()  # the changes to request, decide and carry out

    answer = run.take(**event)

    waits = "waitForTaskToken" in machine.states[state]["Resource"]
    assert (answer is None) is waits
    assert waits or state == "Hold" or answer["next"] in machine.understood


@pytest.mark.parametrize("file", DEFINITIONS, ids=[file.parent.name for file in DEFINITIONS])
def test_machine_understands_that_a_merge_must_wait(run: ApprovalRun, file: Path) -> None:
    machine = read_machine(file)
    run.approved()
    run.repository.outcome = Merge("waiting", "A check is expected.")

    event = fill(machine.payloads["Execute"], {"$.run_id": RUN_ID})

    assert run.take(**event)["next"] in machine.understood


@pytest.mark.parametrize(
    ("file", "state"), REPAIRS, ids=[f"{file.parent.name}-{state}" for file, state in REPAIRS]
)
def test_released_remediation_machine_understands_every_answer(
    aws: None, monkeypatch: pytest.MonkeyPatch, file: Path, state: str
) -> None:
    machine, asking = read_machine(file), repairs.Asking(monkeypatch)
    values = {
        "$.execution": repairs.EXECUTION,
        "$.step.details.repair": repairs.REPAIR,
        "$$.Task.Token": "token-2",
    }
    if state != "Ask":
        asking.ask()
    if state == "Read decision":
        asking.vote()

    answer = approval_function().run_step(fill(machine.payloads[state], values))

    waits = "waitForTaskToken" in machine.states[state]["Resource"]
    assert (answer is None) is waits
    assert answer is None or answer["next"] in machine.understood


@pytest.mark.parametrize("release", RELEASES, ids=[release.name for release in RELEASES])
def test_released_request_waits_unchanged_when_repeated(run: ApprovalRun, release: Path) -> None:
    run.waiting()
    row = json.loads((release / "approval_item.json").read_text())
    boto3.resource("dynamodb").Table("approvals").put_item(Item=row)
    boto3.client("s3").put_object(
        Bucket="records",
        Key=f"approvals/{row['id']}/{row['change_hash']}.json",
        Body=json.dumps({"preview": "the diff"}).encode(),
    )

    answer = run.take("request")

    assert answer["next"] == "Wait"
    assert {"first_wait", "second_wait"} <= answer.keys()
    assert run.store.get(row["id"]).token == row["token"]
    assert run.sent == ["request"]


@pytest.mark.parametrize("release", RELEASES, ids=[release.name for release in RELEASES])
def test_request_of_a_release_is_decided_and_executed(run: ApprovalRun, release: Path) -> None:
    run.waiting()
    row = json.loads((release / "approval_item.json").read_text())
    boto3.resource("dynamodb").Table("approvals").put_item(Item=row)

    voted = run.decisions.decide(row["id"], Ballot("devops@acme.example", "APPROVE", "link"))

    assert (voted.status, voted.needed) == (Status.APPROVED, 1)
    # Before 0.1.0 a hash has no environment, so it approves no current change.
    asked_again = release.name == "before-0.1.0"
    assert run.take("execute") == {"next": "Request" if asked_again else "Done"}
