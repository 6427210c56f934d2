"""A workflow action from the run to its conclusion, with a real HTTP server as GitHub."""

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
from slipway.runs.ledger import Ledger
from slipway.runs.lock import ServiceLocks
from slipway.runs.run import ActiveRun, RunConfig, RunReporter

from tests.fakes.port import FakePort
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


class Restart:
    """A service in an environment, and a run of *Restart Service*."""

    def __init__(self, github: FakeGitHub) -> None:
        self.github = github
        self.port = FakePort()
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
        """Set the environment in the service's files."""
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
        """Set the content of the workflow's file, one answer after the other."""
        answers: list[Any] = [
            (200, {"type": "file", "path": FILE, "sha": blob}, {}) for blob in blobs
        ]
        self.github.script(WORKFLOW, *answers)

    def state(self, status: str, conclusion: str | None = None) -> None:
        """Set the state of the workflow's run on GitHub."""
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
        port: Any = self.port
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
        """Deliver the run while the workflow is running."""
        with pytest.raises(RetryableError) as caught:
            self.deliver()
        return caught.value

    def locked(self) -> list[str]:
        return [lock.service for lock in self.locks.all()]


@pytest.fixture
def restart(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Restart]:
    secret = json.dumps({"token": "ghp_token"})
    boto3.client("secretsmanager").create_secret(Name="slipway/github", SecretString=secret)
    with FakeGitHub().running() as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        load.cache_clear()
        yield Restart(github)


def test_workflow_is_started_with_the_inputs_of_the_plan(restart: Restart) -> None:
    error = restart.wait()

    (sent,) = restart.github.sent(DISPATCH)
    assert sent["ref"] == "main"
    assert sent["inputs"] == {
        "service": "shop",
        "namespace": "shop",
        "environment": "Test",
        "remediation": RUN_ID,
    }
    assert error.retry_at is not None
    assert {"status_label": "Workflow is running", "link": [PAGE]} in restart.port.updates
    assert restart.locked() == ["service/shop"]


@pytest.mark.parametrize(
    ("conclusion", "status", "said"),
    [
        ("success", "SUCCESS", f"Restarted shop in Test: {PAGE}"),
        ("timed_out", "FAILURE", "GitHub's conclusion: timed_out"),
    ],
)
def test_run_ends_with_the_workflow_and_frees_the_entity(
    restart: Restart, conclusion: str, status: str, said: str
) -> None:
    restart.wait()
    restart.state("completed", conclusion)

    restart.deliver()

    assert restart.port.updates[-1]["status"] == status
    assert said in restart.port.updates[-1]["summary"]
    assert len(restart.github.sent(DISPATCH)) == 1
    assert restart.locked() == []


def test_result_names_the_workflow_when_the_catalog_has_no_words(restart: Restart) -> None:
    restart.ledger.record_workflow(RUN_ID, FILE, BLOB, "")
    restart.state("completed", "success")

    restart.deliver()

    said = f"The workflow {FILE} succeeded: {PAGE}"
    assert restart.port.updates[-1]["summary"] == said


def test_run_is_found_by_its_name_when_its_start_is_unknown(restart: Restart) -> None:
    restart.github.script(DISPATCH, (204, b"", {}))
    restart.ledger.record_workflow(RUN_ID, FILE, BLOB, "Restarted shop in Test")
    restart.state("completed", "success")

    restart.deliver()

    assert restart.port.updates[-1]["status"] == "SUCCESS"
    assert restart.github.sent(DISPATCH) == []


def test_workflow_changed_after_the_plan_is_cancelled(restart: Restart) -> None:
    restart.workflow(BLOB, OTHER)

    restart.deliver()

    assert restart.github.count(CANCEL) == 1
    assert restart.port.updates[-1]["status"] == "FAILURE"
    assert "was changed before GitHub ran it" in restart.port.updates[-1]["summary"]
    assert restart.locked() == []


def test_workflow_that_never_ends_fails_the_run(restart: Restart) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 10, tzinfo=UTC), tick=False) as clock:
        restart.wait()
        clock.shift(timedelta(hours=2))
        restart.deliver()

    assert "did not end within 2 hours" in restart.port.updates[-1]["summary"]


def test_dry_run_starts_nothing(restart: Restart) -> None:
    restart.deliver(dry_run=True)

    assert restart.github.sent(DISPATCH) == []
    assert f"Workflow {FILE}" in restart.port.logs[0]
    assert restart.port.updates[-1]["status_label"] == "Dry run"


def test_restart_in_production_needs_approval(
    restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(
        "slipway.changes.approval_machine.start", lambda machine, run_id: started.append(run_id)
    )
    restart.environment("Production")

    restart.deliver()

    assert started == [RUN_ID]
    assert restart.github.sent(DISPATCH) == []


def test_hash_binds_content_and_inputs(restart: Restart) -> None:
    def hashed(blob: str, environment: str) -> str:
        restart.workflow(blob)
        restart.environment(environment)
        message = make_message(action="restart_service", entity="shop", operation="DAY-2")
        run: Any = SimpleNamespace(
            config=restart.config, message=message, ledger=restart.ledger, port=None
        )
        policy = read_policy("records", "policy/policy.json").policy
        made = change.prepare(run, change.find_task(run, policy), policy)
        assert not isinstance(made, NothingToDo)
        return made.change_hash

    first = hashed(BLOB, "Test")

    assert hashed(BLOB, "Test") == first
    assert len({first, hashed(OTHER, "Test"), hashed(BLOB, "Staging")}) == 3


def test_missing_workflow_is_reported(restart: Restart) -> None:
    restart.github.script(WORKFLOW, (404, {"message": "Not Found"}, {}))

    with pytest.raises(UserError, match="is not on the base branch of acme/services"):
        restart.deliver()


def test_run_ends_when_its_action_was_removed(restart: Restart) -> None:
    set_policy({**POLICY, "repositories": POLICY["repositories"]})
    restart.wait()
    message = make_message(action="reboot_service", entity="shop", operation="DAY-2")
    assert message.action  # The catalog has no such action.

    with pytest.raises(UserError, match="no longer has the action 'reboot_service'"):
        _carry_out(restart, message)

    assert restart.locked() == []


def test_run_ends_when_its_action_and_repository_were_removed(restart: Restart) -> None:
    restart.wait()
    message = make_message(action="reboot_service", entity="shop", operation="DAY-2")
    restart.ledger.record_target(RUN_ID, "service/shop", "payments")

    with pytest.raises(UserError, match="no longer has the action 'reboot_service'"):
        _carry_out(restart, message)

    assert restart.locked() == []


def _carry_out(restart: Restart, message: Any) -> None:
    port: Any = restart.port
    report = RunReporter(RUN_ID, message.action, port, restart.ledger)
    restart.github.script("GET /pulls", (200, [], {}))
    restart.github.script(
        f"DELETE /git/refs/heads/slipway/reboot_service/{RUN_ID}",
        (422, {"message": "Reference does not exist"}, {}),
    )
    run = ActiveRun(
        message=message,
        record=KafkaRecord({}, "org_test.runs-0", 0),
        created_by="",
        config=restart.config,
        port=port,
        ledger=restart.ledger,
        locks=restart.locks,
        report=report,
    )
    change.carry_out(run)
