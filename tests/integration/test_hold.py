"""Runs on hold after an internal error, what an operator does with them, and paused functions.

Each failure passes through the whole path: retries of the event source, the bucket, the queue.
"""

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from scripts.apply_sandbox import TEAM_MACHINE, Mode, Stack
from scripts.soaking.installation import Sweeper
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.test_create_service import form
from tests.integration.world import World

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]


@dataclass
class Failures:
    """The initial state of the tests.

    Attributes:
        world: a service in Test, with a request to change its replicas.
        team: a deleted state machine that subscribes to that.
        created: a run that its function could not carry out.
        scaled: another such run.
        waiting: a run whose function was paused before its execution.
    """

    world: World
    team: dict[str, Any]
    created: str
    scaled: str
    waiting: str

    def fix(self) -> None:
        """Remove the causes."""
        self.world.sandbox.sandbox("github", "DELETE", "faults")
        # Creating an identical existing one succeeds.
        self.world.sandbox.aws("stepfunctions").create_state_machine(
            name=TEAM_MACHINE, definition=self.team["definition"], roleArn=self.team["roleArn"]
        )

    @property
    def new_service(self) -> str:
        return f"{self.world.service}-new"


@pytest.fixture(scope="module")
def failures(sandbox: SandboxClient, stack: Stack) -> Iterator[Failures]:
    world = World(sandbox, stack, f"hold-{secrets.token_hex(3)}")
    world.exists("Test")
    paused = world.script("pause", "delete_service")
    assert paused.returncode == 0, paused.stdout + paused.stderr
    inputs = {"service_name": world.service, "dry_run": True}
    waiting = sandbox.execute("delete_service", inputs, entity=world.service)
    # Two internal errors: the token may not write, and a team's state machine was deleted.
    refusal = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
    fault = {"field": "createRef", "times": 500, "body": refusal}
    sandbox.sandbox("github", "POST", "faults", fault)
    states = sandbox.aws("stepfunctions")
    arn = world.outputs["remediation_machine_arn"].rpartition(":")[0] + f":{TEAM_MACHINE}"
    team = states.describe_state_machine(stateMachineArn=arn)
    states.delete_state_machine(stateMachineArn=arn)
    created = sandbox.execute("create_service", form(f"{world.service}-new"))
    made = Failures(world, team, created, world.upscale(), waiting)
    properties = {"identifier": world.service, "properties": {"replicas": 9}}
    sandbox.port.upsert_entity("service", properties)
    try:
        for what in (created, made.scaled, '"replicas":9'):
            wait_for(f"the record of {what}", partial(world.failed, what))
        yield made
    finally:
        made.fix()
        world.script("resume", "delete_service")


def replay(failures: Failures, *command: str) -> subprocess.CompletedProcess[str]:
    return failures.world.script("replay", *command)


def test_failed_records_are_listed_and_shown_in_detail(
    failures: Failures,
) -> None:
    listed = replay(failures, "list").stdout.splitlines()

    (line,) = [line for line in listed if failures.new_service in line]
    for part in (failures.created, "create_service", "not accessible by integration"):
        assert part in line
    assert any(failures.scaled in line and "upscale_service" in line for line in listed)
    assert any("health_checker" in line and failures.world.service in line for line in listed)
    label = failures.world.sandbox.label(failures.created)
    reference = re.fullmatch(r"On hold, reference (1-\S+)", label)
    assert reference
    shown = replay(failures, "show", reference[1]).stdout
    assert f'"service_name": "{failures.new_service}"' in shown
    assert "v1," not in shown


def test_run_of_a_paused_function_waits_until_it_is_resumed(
    failures: Failures, sandbox: SandboxClient, stack: Stack
) -> None:
    world, run_id = failures.world, failures.waiting
    name = stack.outputs()["functions"]["sweep_runs"]["function_name"]
    sweeper = Sweeper(sandbox.aws("lambda"), name)
    try:
        sweeper.sweep(never_received=1)
    finally:
        sweeper.restore()
    assert sandbox.run(run_id)["status"] == "IN_PROGRESS"
    assert sandbox.logs(run_id) == []
    status = world.script("status").stdout
    (line,) = [line for line in status.splitlines() if "delete_service" in line]
    assert "paused since" in line

    resumed = world.script("resume", "delete_service")

    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert world.ended(run_id, "SUCCESS")["statusLabel"] == "Dry run"


def test_failed_record_keeps_its_reason_when_the_cause_remains(
    failures: Failures,
) -> None:
    planned = replay(failures, "run", failures.scaled, "--dry-run")
    assert planned.returncode == 0
    assert "1 would be replayed" in planned.stdout

    replayed = replay(failures, "run", failures.scaled)

    assert replayed.returncode == 1
    assert "not accessible by integration" in replayed.stdout
    assert "0 replayed, 1 still on hold." in replayed.stdout
    key = failures.world.failed(failures.scaled)
    assert key
    assert failures.world.announced(key)


@pytest.mark.story
def test_discarded_record_fails_its_run_and_frees_the_lock(
    failures: Failures,
) -> None:
    key = failures.world.failed(failures.scaled)
    assert key
    assert failures.world.lock() == failures.scaled

    done = replay(failures, "discard", failures.scaled, "--reason", "No longer needed.")

    assert done.returncode == 0, done.stdout + done.stderr
    run = failures.world.ended(failures.scaled, "FAILURE")
    assert (run["statusLabel"], run["summary"]) == ("Discarded", "No longer needed.")
    assert failures.world.lock() is None
    assert key not in failures.world.keys("aws/lambda/")
    assert f"archive/discarded/{key}" in failures.world.keys("archive/")
    assert not failures.world.announced(key)


@pytest.mark.story
def test_concurrent_replays_run_the_record_once(
    failures: Failures,
) -> None:
    world, run_id = failures.world, failures.created
    key = failures.world.failed(run_id)
    assert key
    failures.fix()

    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: replay(failures, "run", run_id), range(2)))

    assert any("1 replayed, 0 still on hold." in done.stdout for done in both), both
    pull = world.sandbox.services.get_pull(
        int(world.sandbox.wait_for_link(run_id).rsplit("/", 1)[1])
    )
    assert (len(world.pulls(run_id)), pull.commits) == (1, 1)
    assert world.sandbox.label(run_id) == f"Waiting for the merge of pull request #{pull.number}"
    assert f"archive/replayed/{key}" in failures.world.keys("archive/")
    assert not failures.world.announced(key)
    again = replay(failures, "run", run_id)
    assert again.returncode == 1
    assert "not on hold" in again.stdout
    pull.merge(merge_method="squash")
    world.ended(run_id, "SUCCESS")


def test_replayed_change_starts_its_subscription_once(
    failures: Failures,
) -> None:
    states, arn = failures.world.sandbox.aws("stepfunctions"), failures.team["stateMachineArn"]
    failures.fix()

    def followed() -> int:
        found = states.list_executions(stateMachineArn=arn, maxResults=1000)["executions"]
        inputs = [
            json.loads(states.describe_execution(executionArn=each["executionArn"])["input"])
            for each in found
        ]
        return [each["entity"] for each in inputs].count(failures.world.service)

    before = followed()

    done = replay(failures, "run", "--function", "health_checker", "--since", "1h")

    assert done.returncode == 0, done.stdout + done.stderr
    assert followed() == before + 1
    assert failures.world.failed('"replicas":9') is None
