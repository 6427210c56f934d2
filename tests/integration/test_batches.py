"""A batch with one poison record, and a mapping that cannot sign in.

In MSK mode the mappings have provisioned pollers; in the other mode they are on demand.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from scripts.apply_sandbox import Mode, Stack
from scripts.soaking.installation import Sweeper, run_ids
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.world import World

pytestmark = pytest.mark.integration

# Retries after the first invocation: Lambda's own on demand, the stack's default otherwise.
RETRIES = {Mode.EXTERNAL: 10, Mode.MSK: 3}


@dataclass
class Batch:
    """Ten runs of one batch, of which one always fails.

    Attributes:
        world: the service of nine runs.
        done: these nine runs.
        poison: the run that fails.
        logs: the run pages of the nine, after they ended.
    """

    world: World
    done: list[str]
    poison: str
    logs: list[list[str]]

    def fix(self) -> None:
        """Remove the cause."""
        self.world.sandbox.sandbox("github", "DELETE", "faults")

    def logs_now(self) -> list[list[str]]:
        return [self.world.sandbox.logs(run_id) for run_id in self.done]


def set_mapping(sandbox: SandboxClient, uuid: str, state: str, **changes: Any) -> None:
    """Change an event source mapping, and wait until it is enabled or disabled."""
    functions = sandbox.aws("lambda")
    functions.update_event_source_mapping(UUID=uuid, Enabled=state == "Enabled", **changes)

    def settled() -> bool:
        return bool(functions.get_event_source_mapping(UUID=uuid)["State"] == state)

    wait_for(f"the mapping to be {state}", settled)


@pytest.fixture(scope="module")
def batch(sandbox: SandboxClient, stack: Stack) -> Iterator[Batch]:
    name = f"batch-{secrets.token_hex(3)}"
    world, bad = World(sandbox, stack, name), World(sandbox, stack, f"{name}-bad")
    for each in (world, bad):
        each.exists("Test")
    uuid = world.outputs["functions"]["upscale_service"]["event_source_mapping"]
    # The batch window does not end by itself, so the ten form one batch.
    window = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 300}
    set_mapping(sandbox, uuid, "Disabled", **window)
    fault = {"method": "GET", "path": f"/contents/apps/{bad.service}$", "times": 500}
    sandbox.sandbox("github", "POST", "faults", {**fault, "status": 403})
    try:
        runs = [(bad if number == 3 else world).upscale(dry_run=True) for number in range(10)]
        poison = runs.pop(3)
        set_mapping(sandbox, uuid, "Enabled")
        wait_for("the failed record", partial(world.failed, poison))
        for run_id in runs:
            world.ended(run_id, "SUCCESS")
        made = Batch(world, runs, poison, [])
        made.logs = made.logs_now()
        yield made
    finally:
        sandbox.sandbox("github", "DELETE", "faults")
        set_mapping(sandbox, uuid, "Enabled", BatchSize=1, MaximumBatchingWindowInSeconds=0)


def test_batch_is_stored_according_to_its_mode(batch: Batch, stack: Stack) -> None:
    key = batch.world.failed(batch.poison)
    assert key
    record = batch.world.record(key)

    stored = set(run_ids(record))
    everything = {batch.poison, *batch.done}
    assert stored == ({batch.poison} if stack.mode is Mode.MSK else everything)
    context = record["requestContext"]
    assert context["condition"] == "RetryAttemptsExhausted"
    assert context["approximateInvokeCount"] == RETRIES[stack.mode] + 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert batch.world.announced(key)


def test_finished_records_are_carried_out_once(batch: Batch) -> None:
    for logs in batch.logs:
        assert logs.count("Dry run: nothing was changed.") == 1
    assert batch.world.sandbox.run(batch.poison)["status"] == "IN_PROGRESS"


def test_replay_repeats_only_the_failed_record(batch: Batch) -> None:
    world, key = batch.world, batch.world.failed(batch.poison)
    listed = world.script("replay", "list").stdout
    assert batch.poison in listed
    assert not [run_id for run_id in batch.done if run_id in listed]

    refused = world.script("replay", "run", batch.poison)
    assert refused.returncode == 1, refused.stdout
    assert "GitHub answered 403" in refused.stdout
    batch.fix()
    done = world.script("replay", "run", batch.poison)

    assert done.returncode == 0, done.stdout + done.stderr
    assert world.ended(batch.poison, "SUCCESS")["statusLabel"] == "Dry run"
    assert batch.logs_now() == batch.logs
    assert world.failed(batch.poison) is None
    assert f"archive/replayed/{key}" in world.keys("archive/")


@contextmanager
def wrong_password(sandbox: SandboxClient, name: str) -> Iterator[None]:
    """Store a wrong password in a Kafka secret for a while."""
    client = sandbox.aws("secretsmanager")
    before = client.get_secret_value(SecretId=name)
    wrong = json.dumps({**json.loads(before["SecretString"]), "password": "no longer right"})
    after = client.put_secret_value(SecretId=name, SecretString=wrong)
    try:
        yield
    finally:
        # Restore the same version, so that Terraform finds no change afterwards.
        client.update_secret_version_stage(
            SecretId=name,
            VersionStage="AWSCURRENT",
            MoveToVersionId=before["VersionId"],
            RemoveFromVersionId=after["VersionId"],
        )


def counted_problems(world: World) -> list[str]:
    """Return the functions whose mapping the sweep's log counted as faulty."""
    group = world.outputs["functions"]["sweep_runs"]["log_group_name"]
    events = world.sandbox.aws("logs").filter_log_events(logGroupName=group)["events"]
    lines = [event["message"] for event in events if '"MappingProblem"' in event["message"]]
    return [json.loads(line)["function_name"] for line in lines]


def test_mapping_with_wrong_password_is_counted_and_loses_no_run(
    sandbox: SandboxClient, stack: Stack
) -> None:
    world = World(sandbox, stack, f"secret-{secrets.token_hex(3)}")
    world.exists("Test")
    function = world.outputs["functions"]["downscale_service"]
    uuid, functions = function["event_source_mapping"], sandbox.aws("lambda")
    set_mapping(sandbox, uuid, "Disabled")
    (access,) = functions.get_event_source_mapping(UUID=uuid)["SourceAccessConfigurations"]
    sweeper = Sweeper(functions, f"{world.prefix}-sweep_runs")
    try:
        with wrong_password(sandbox, access["URI"]):
            # It signs in again.
            set_mapping(sandbox, uuid, "Enabled")
            inputs = {"dry_run": True}
            run_id = sandbox.execute("downscale_service", inputs, entity=world.service)

            def result() -> str | None:
                found = functions.get_event_source_mapping(UUID=uuid)
                text = str(found.get("LastProcessingResult", ""))
                return text if text.startswith("PROBLEM") else None

            assert "SASL authentication failed" in wait_for("the problem", result)
            sweeper.sweep(never_received=1)
            wait_for(
                "the metric", lambda: function["function_name"] in counted_problems(world) or None
            )
            assert sandbox.run(run_id)["status"] == "IN_PROGRESS"
    finally:
        sweeper.restore()

    assert world.ended(run_id, "SUCCESS")["statusLabel"] == "Dry run"
