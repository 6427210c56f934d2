"""Operators and failures while a run has an approval: cancel, unlock, resume, stop, repeat."""

import pytest

from scripts.apply_sandbox import Mode
from tests.integration.conftest import wait_for
from tests.integration.world import World, made_world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
world = made_world


def test_cancel_closes_the_open_pull_request(
    world: World,
) -> None:
    with world.merging(auto_merge=False):
        run_id = world.upscale()
        world.request(run_id)
        world.decide(run_id, "APPROVE")
        wait_for("the pull request", lambda: world.pulls(run_id) or None)
        wait_for("the wait for its merge", lambda: "merge" in world.sandbox.label(run_id) or None)

    done = world.script("cancel", run_id, "--reason", "Wrong service")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the service is free" in done.stdout
    (pull,) = world.pulls(run_id)
    assert pull.state == "closed"
    assert not pull.merged
    run = world.ended(run_id, "FAILURE")
    assert run["summary"] == "Wrong service"
    assert world.lock() is None
    again = world.script("cancel", run_id)
    assert again.returncode == 0
    assert "had already ended" in again.stdout


def test_unlock_frees_a_service_only_when_its_owner_has_ended(world: World) -> None:
    run_id = world.upscale()
    world.request(run_id)

    refused = world.script("unlock", f"service/{world.service}")

    assert refused.returncode == 1
    assert run_id in refused.stdout
    assert "stays locked" in refused.stdout
    world.script("cancel", run_id)
    # The clean-up failed: the row is still there.
    world.sandbox.aws("dynamodb").put_item(
        TableName=world.outputs["tables"]["locks"],
        Item={
            "service": {"S": f"service/{world.service}"},
            "owner": {"S": run_id},
            "kind": {"S": "run"},
            "taken_at": {"S": "2026-11-23T00:00:00Z"},
        },
    )
    freed = world.script("unlock", f"service/{world.service}")
    assert freed.returncode == 0, freed.stdout + freed.stderr
    assert world.lock() is None
    assert f"{world.service} is free" in world.script("unlock", f"service/{world.service}").stdout


def test_resume_continues_at_the_failed_step(
    world: World,
) -> None:
    run_id = world.upscale()
    world.request(run_id)
    # A permanent failure: the token may not write.
    fault = {"method": "POST", "path": "/api/graphql$", "times": 50, "status": 403}
    world.sandbox.sandbox("github", "POST", "faults", fault)
    try:
        world.decide(run_id, "APPROVE")
        label = wait_for(
            "the run to be on hold",
            lambda: found if (found := world.sandbox.label(run_id)).startswith("On hold") else None,
        )
        wait_for("the failure", lambda: world.executions(run_id) == {run_id: "FAILED"} or None)
    finally:
        world.sandbox.sandbox("github", "DELETE", "faults")
    assert label == f"On hold, reference {run_id}"
    assert world.lock() == run_id
    second = world.upscale()
    assert f"in progress (run {run_id})" in world.ended(second, "FAILURE")["summary"]

    listed = world.script("replay", "list", "--function", "approval").stdout
    assert f"Execution {run_id} failed" in next(
        line for line in listed.splitlines() if run_id in line
    )
    resumed = world.script("replay", "run", run_id)

    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert f"({run_id}) as execution {run_id}-1." in resumed.stdout
    world.ended(run_id, "SUCCESS")
    assert world.pulls(run_id)[0].merged
    assert len(world.audit(run_id)) == 1
    wait_for(
        "the execution's end",
        lambda: world.executions(run_id).get(f"{run_id}-1") == "SUCCEEDED" or None,
    )
    again = world.script("resume", run_id)
    assert again.returncode == 1
    assert "has ended with SUCCESS" in again.stdout


def test_machine_repeats_a_step_after_a_transient_failure(
    world: World,
) -> None:
    run_id = world.upscale()
    world.request(run_id)
    fault = {"method": "POST", "path": "/api/graphql$", "times": 8, "status": 503}
    world.sandbox.sandbox("github", "POST", "faults", fault)
    try:
        world.decide(run_id, "APPROVE")
        world.ended(run_id, "SUCCESS")
    finally:
        world.sandbox.sandbox("github", "DELETE", "faults")

    assert len(world.pulls(run_id)) == 1


def test_run_ends_when_its_execution_is_stopped(world: World) -> None:
    run_id = world.upscale()
    world.request(run_id)
    machine = world.outputs["approval_machine_arn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{run_id}"

    world.sandbox.aws("stepfunctions").stop_execution(executionArn=execution)

    ended = world.ended(run_id, "FAILURE")
    assert ended["statusLabel"] == "Stopped"
    assert "stopped by an operator" in ended["summary"]
    world.wait_until_free()
    wait_for("the withdrawal", lambda: world.request_now(run_id)["status"] == "Cancelled" or None)
