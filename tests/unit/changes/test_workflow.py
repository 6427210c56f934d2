"""A workflow action, from the run to its conclusion. A real HTTP server plays GitHub."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from slipway.catalog.planning import NothingToDo
from slipway.changes import change
from slipway.changes.policy_document import read_policy
from slipway.config import load
from slipway.errors import RetryableError, UserError
from slipway.kafka import KafkaRecord
from slipway.port.models import User
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import ActiveRun, RunConfig, RunReporter

from tests.unit.conftest import POLICY, RUN_ID, make_message, set_policy
from tests.unit.github.conftest import SHA, FakeGitHub

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]

FILE = ".github/workflows/slipway-restart.yml"
DISPATCH = "POST /actions/workflows/slipway-restart.yml/dispatches"
RUNS = "GET /actions/workflows/slipway-restart.yml/runs"
RUN = "GET /actions/runs/9"
CANCEL = "POST /actions/runs/9/cancel"
WORKFLOW = f"GET /contents/{FILE}"
PAGE = "https://github.test/acme/services/actions/runs/9"
BLOB, OTHER = "1" * 40, "2" * 40


class World:
    """A service in an environment, and a run of *Restart Service*."""

    def __init__(self, github: FakeGitHub) -> None:
        self.github = github
        self.logs: list[str] = []
        self.updates: list[dict[str, Any]] = []
        self.config = load(RunConfig)
        self.ledger = Ledger(self.config.runs_table)
        self.locks = ServiceLocks(self.config.locks_table, lambda owner: False)
        self.environment("Test")
        self.workflow(BLOB)
        details = {"workflow_run_id": 9, "run_url": PAGE, "html_url": PAGE}
        github.script(DISPATCH, (200, details, {}))
        github.script(CANCEL, (202, {}, {}))
        self.state("in_progress")

    def environment(self, name: str) -> None:
        """The environment that the service's files say."""
        said = {"identifier": "shop", "blueprint": "service", "environment": name}
        files = {"portData.json": json.dumps(said), "common_values.json": '{"replicas": 2}'}
        entries = []
        for number, (file, text) in enumerate(files.items()):
            sha, path = f"{number:040x}", f"apps/shop/{file}"
            content = base64.b64encode(text.encode()).decode()
            blob = {"content": content, "encoding": "base64", "sha": sha}
            self.github.script(f"GET /git/blobs/{sha}", (200, blob, {}))
            entry = {"type": "file", "path": path, "sha": sha, "size": len(text)}
            entries.append({**entry, "download_url": f"https://github.test/{path}"})
        self.github.script("GET /contents/apps/shop", (200, entries, {}))

    def workflow(self, *blobs: str) -> None:
        """The content of the workflow's file, one answer after the other."""
        answers: list[Any] = [
            (200, {"type": "file", "path": FILE, "sha": blob}, {}) for blob in blobs
        ]
        self.github.script(WORKFLOW, *answers)

    def state(self, status: str, conclusion: str | None = None) -> None:
        """What GitHub says of the workflow's run."""
        run = {
            "id": 9,
            "display_title": f"Restart shop ({RUN_ID})",
            "status": status,
            "conclusion": conclusion,
            "html_url": PAGE,
            "head_sha": SHA,
        }
        self.github.script(RUN, (200, run, {}))
        self.github.script(RUNS, (200, {"total_count": 1, "workflow_runs": [run]}, {}))

    def deliver(self, **inputs: Any) -> None:
        """Deliver the run, as often as a test wants."""
        port: Any = SimpleNamespace(
            add_log=lambda run_id, text, status_label=None: self.logs.append(text),
            update_run=lambda run_id, **fields: self.updates.append(fields),
            get_entity=lambda blueprint, identifier: None,
            team_members=lambda team: [],
            get_user=lambda email: User(id="auth0|1", email=email),
        )
        message = make_message(
            action="restart_service", entity="shop", operation="DAY-2", inputs=inputs
        )
        self.ledger.open(message)
        run = ActiveRun(
            message=message,
            record=KafkaRecord({"value": "first"}, "org_test.runs-0", 0),
            created_by="auth0|1",
            config=self.config,
            port=port,
            ledger=self.ledger,
            locks=self.locks,
            report=RunReporter(RUN_ID, message.action, port, self.ledger),
        )
        change.carry_out(run)

    def wait(self) -> RetryableError:
        """Deliver the run while the workflow has not ended."""
        with pytest.raises(RetryableError) as caught:
            self.deliver()
        return caught.value

    def held(self) -> list[str]:
        return [lock.service for lock in self.locks.all()]


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    secret = json.dumps({"token": "ghp_token"})
    boto3.client("secretsmanager").create_secret(Name="slipway/github", SecretString=secret)
    with FakeGitHub().running() as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        load.cache_clear()
        yield World(github)


def test_workflow_is_started_with_the_inputs_of_the_plan(world: World) -> None:
    error = world.wait()

    (sent,) = world.github.sent(DISPATCH)
    assert sent["ref"] == "main"
    assert sent["inputs"] == {
        "service": "shop",
        "namespace": "shop",
        "environment": "Test",
        "remediation": RUN_ID,
    }
    assert error.retry_at is not None
    assert {"status_label": "Workflow is running", "link": [PAGE]} in world.updates
    assert world.held() == ["service/shop"]


@pytest.mark.parametrize(
    ("conclusion", "status", "said"),
    [
        ("success", "SUCCESS", "succeeded"),
        ("timed_out", "FAILURE", "GitHub's conclusion: timed_out"),
    ],
)
def test_run_ends_with_the_workflow_and_frees_the_entity(
    world: World, conclusion: str, status: str, said: str
) -> None:
    world.wait()
    world.state("completed", conclusion)

    world.deliver()

    assert world.updates[-1]["status"] == status
    assert said in world.updates[-1]["summary"]
    assert len(world.github.sent(DISPATCH)) == 1
    assert world.held() == []


def test_run_whose_start_is_not_known_is_found_by_its_name(world: World) -> None:
    world.github.script(DISPATCH, (204, b"", {}))
    world.ledger.record_workflow(RUN_ID, FILE, BLOB)
    world.state("completed", "success")

    world.deliver()

    assert world.updates[-1]["status"] == "SUCCESS"
    assert world.github.sent(DISPATCH) == []


def test_workflow_changed_after_the_plan_is_cancelled(world: World) -> None:
    world.workflow(BLOB, OTHER)

    world.deliver()

    assert world.github.count(CANCEL) == 1
    assert world.updates[-1]["status"] == "FAILURE"
    assert "was changed before GitHub ran it" in world.updates[-1]["summary"]
    assert world.held() == []


def test_workflow_that_never_ends_fails_the_run(world: World) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 10, tzinfo=UTC), tick=False) as clock:
        world.wait()
        clock.shift(timedelta(hours=2))
        world.deliver()

    assert "did not end within 2 hours" in world.updates[-1]["summary"]


def test_dry_run_starts_nothing(world: World) -> None:
    world.deliver(dry_run=True)

    assert world.github.sent(DISPATCH) == []
    assert f"Workflow {FILE}" in world.logs[0]
    assert world.updates[-1]["status_label"] == "Dry run"


def test_restart_in_production_asks_for_approval(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(
        "slipway.changes.approval_machine.start", lambda machine, run_id: started.append(run_id)
    )
    world.environment("Production")

    world.deliver()

    assert started == [RUN_ID]
    assert world.github.sent(DISPATCH) == []


def test_hash_binds_content_and_inputs(world: World) -> None:
    def hashed(blob: str, environment: str) -> str:
        world.workflow(blob)
        world.environment(environment)
        message = make_message(action="restart_service", entity="shop", operation="DAY-2")
        run: Any = SimpleNamespace(
            config=world.config, message=message, ledger=world.ledger, port=None
        )
        policy = read_policy("records", "policy/policy.json").policy
        made = change.prepare(run, change.find_task(run, policy), policy)
        assert not isinstance(made, NothingToDo)
        return made.change_hash

    first = hashed(BLOB, "Test")

    assert hashed(BLOB, "Test") == first
    assert len({first, hashed(OTHER, "Test"), hashed(BLOB, "Staging")}) == 3


def test_missing_workflow_is_said(world: World) -> None:
    world.github.script(WORKFLOW, (404, {"message": "Not Found"}, {}))

    with pytest.raises(UserError, match="is not on the base branch of acme/services"):
        world.deliver()


def test_run_ends_when_its_action_is_gone(world: World) -> None:
    set_policy({**POLICY, "repositories": POLICY["repositories"]})
    world.wait()
    message = make_message(action="reboot_service", entity="shop", operation="DAY-2")
    assert message.action  # The catalog has no such action.

    with pytest.raises(UserError, match="no longer has the action 'reboot_service'"):
        _carry_out(world, message)

    assert world.held() == []


def _carry_out(world: World, message: Any) -> None:
    port: Any = SimpleNamespace(add_log=lambda *_, **__: None, get_entity=lambda *_: None)
    report = RunReporter(RUN_ID, message.action, port, world.ledger)
    world.github.script("GET /pulls", (200, [], {}))
    world.github.script(
        f"DELETE /git/refs/heads/slipway/reboot_service/{RUN_ID}",
        (422, {"message": "Reference does not exist"}, {}),
    )
    run = ActiveRun(
        message=message,
        record=KafkaRecord({}, "org_test.runs-0", 0),
        created_by="",
        config=world.config,
        port=port,
        ledger=world.ledger,
        locks=world.locks,
        report=report,
    )
    change.carry_out(run)
