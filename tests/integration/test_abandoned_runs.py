"""Abandoned runs, and how the sweep handles them.

The tests abandon real runs, and call the function as its schedule does, but with limits of seconds.
They call its unpublished version, so the schedule keeps the limits of the stack.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.apply_sandbox import Mode, Stack
from scripts.port_definitions import load_definitions
from scripts.soaking.installation import Sweeper
from tests.integration.conftest import SandboxClient, wait_for
from tests.integration.test_create_service import calls_of, form
from tests.integration.world import World, made_world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
world = made_world

DAY = 86_400


@pytest.fixture(scope="module")
def sweeper(sandbox: SandboxClient, stack: Stack) -> Iterator[Sweeper]:
    name = stack.outputs()["functions"]["sweep_runs"]["function_name"]
    made = Sweeper(sandbox.aws("lambda"), name)
    yield made
    made.restore()


def until_ended(sweeper: Sweeper, world: World, run_id: str, **limits: int) -> dict[str, Any]:
    """Sweep until the run is over its limit of a second or two."""

    def swept() -> dict[str, Any] | None:
        sweeper.sweep(**limits)
        run = world.sandbox.run(run_id)
        return run if run["status"] != "IN_PROGRESS" else None

    return wait_for(f"end of {run_id}", swept)


def seconds_since(world: World, run_id: str) -> float:
    executed = datetime.fromisoformat(world.sandbox.run(run_id)["createdAt"])
    return (datetime.now(UTC) - executed).total_seconds()


def create(world: World) -> tuple[str, Any]:
    """Request the creation of another service; return its run and its pull request."""
    run_id = world.sandbox.execute("create_service", form(f"{world.service}-new"))
    number = int(world.sandbox.wait_for_link(run_id).rsplit("/", 1)[1])
    label = f"Waiting for the merge of pull request #{number}"
    wait_for("its label", lambda: world.sandbox.label(run_id) == label)
    return run_id, world.sandbox.services.get_pull(number)


def entity_of(world: World) -> dict[str, Any] | None:
    found = world.sandbox.port.get_entity("service", f"{world.service}-new")
    return found.properties if found else None


def reports(world: World, conclusion: str) -> int:
    """Count the runs of the report workflow with this conclusion."""
    workflow = world.sandbox.services.get_workflow("slipway-report.yml")
    return sum(run.conclusion == conclusion for run in workflow.get_runs())


@contextmanager
def unreported(world: World) -> Iterator[None]:
    """Remove the address from the report workflow."""
    services, name = world.sandbox.services, "SLIPWAY_REPORTS_URL"
    services.delete_variable(name)
    try:
        yield
    finally:
        services.create_variable(name, world.outputs["reports_url"])


def test_schedule_starts_the_sweep(sandbox: SandboxClient, stack: Stack) -> None:
    # This is the first test of the file: no other test has started a sweep yet.
    role = stack.outputs()["functions"]["sweep_runs"]["role_name"]

    def queried() -> list[str]:
        return [call["time"] for call in calls_of(sandbox, role) if call["operation"] == "Query"]

    wait_for("a scheduled sweep", queried, seconds=600)


@pytest.mark.story
def test_run_is_carried_out_by_doorbell_when_its_message_is_lost(
    world: World, sweeper: Sweeper
) -> None:
    route = "/v1/actions/upscale_service"
    shipped = next(
        each for _, each in load_definitions() if each["identifier"] == "upscale_service"
    )
    lost = json.loads(json.dumps(shipped))
    lost["invocationMethod"]["payload"]["action"] = "nobodys"
    world.sandbox.port.request("PUT", route, json=lost)
    try:
        run_id = world.upscale()
    finally:
        world.sandbox.port.request("PUT", route, json=shipped)
    sweeper.sweep()
    assert world.sandbox.run(run_id)["status"] == "IN_PROGRESS"

    wait_for("its second", lambda: seconds_since(world, run_id) > 1)
    sweeper.sweep(never_received=1)

    assert world.request(run_id)["status"] == "Pending"


@pytest.mark.parametrize("end", [pytest.param("merged", marks=pytest.mark.story), "closed"])
def test_sweep_reports_an_end_that_the_workflow_did_not(
    world: World, sweeper: Sweeper, end: str
) -> None:
    world.service += f"-{end}"
    run_id, pull = create(world)
    failed = reports(world, "failure")
    with unreported(world):
        if end == "merged":
            pull.merge(merge_method="squash")
        else:
            pull.edit(state="closed")
        wait_for("the failed workflow", lambda: reports(world, "failure") == failed + 1)
    sweeper.sweep()
    assert world.sandbox.run(run_id)["status"] == "IN_PROGRESS"

    run = until_ended(sweeper, world, run_id, report=2)

    entity = entity_of(world)
    assert f"Pull request #{pull.number} was {end}" in run["summary"]
    if end == "merged":
        assert (run["status"], run["statusLabel"]) == ("SUCCESS", "Merged")
        assert entity is not None
        assert entity["health_status"] in {"Progressing", "Healthy"}
        assert entity["namespace"] == f"{world.service}-new"
    else:
        assert (run["status"], run["statusLabel"]) == ("FAILURE", "Closed")
        assert entity is None
    world.service += "-new"
    assert world.lock() is None


def test_sweep_ends_a_run_whose_stop_event_was_lost(world: World, sweeper: Sweeper) -> None:
    run_id = world.upscale()
    world.request(run_id)
    machine = world.outputs["approval_machine_arn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{run_id}"
    events, rule = world.sandbox.aws("events"), f"{machine.rpartition(':')[2]}-stopped"
    events.disable_rule(Name=rule)
    try:
        world.sandbox.aws("stepfunctions").stop_execution(executionArn=execution)
        wait_for("the end", lambda: world.executions(run_id) == {run_id: "ABORTED"})
        sweeper.sweep()
    finally:
        events.enable_rule(Name=rule)

    run = world.sandbox.run(run_id)
    assert (run["status"], run["statusLabel"]) == ("FAILURE", "Stopped")
    assert world.request_now(run_id)["status"] == "Cancelled"
    assert world.lock() is None


def test_run_on_hold_ends_when_it_is_not_resumed(world: World, sweeper: Sweeper) -> None:
    run_id = world.upscale()
    world.request(run_id)
    fault = {"method": "POST", "path": "/api/graphql$", "times": 50, "status": 403}
    world.sandbox.sandbox("github", "POST", "faults", fault)
    try:
        world.decide(run_id, "APPROVE")
        wait_for("the failure", lambda: world.executions(run_id) == {run_id: "FAILED"})
    finally:
        world.sandbox.sandbox("github", "DELETE", "faults")
    sweeper.sweep()
    assert world.sandbox.run(run_id)["status"] == "IN_PROGRESS"
    assert world.lock() == run_id

    run = until_ended(sweeper, world, run_id, held=1)

    assert (run["status"], run["statusLabel"]) == ("FAILURE", "On hold for too long")
    assert world.lock() is None
    stored = world.sandbox.aws("s3").list_objects_v2(
        Bucket=world.outputs["records_bucket"], Prefix=f"requests/{run_id}"
    )
    assert stored["KeyCount"] == 0
    assert world.script("resume", run_id).returncode == 1


def test_sweep_reminds_once_then_closes_an_old_pull_request(world: World, sweeper: Sweeper) -> None:
    run_id, pull = create(world)

    def comments() -> list[str]:
        return [comment.body for comment in pull.get_issue_comments()]

    def reminded() -> list[str]:
        sweeper.sweep(pull_request=DAY, reminder=DAY - 1)
        return comments()

    (reminder,) = wait_for("the reminder", reminded)
    sweeper.sweep(pull_request=DAY, reminder=DAY - 1)
    assert "Slipway closes it on" in reminder
    assert comments() == [reminder]
    assert world.sandbox.run(run_id)["status"] == "IN_PROGRESS"

    def closed() -> bool:
        sweeper.sweep(pull_request=3, reminder=1)
        return bool(pull.update() and pull.state == "closed")

    wait_for("the pull request's end", closed)

    run = world.ended(run_id, "FAILURE")
    assert "was closed without a merge" in run["summary"]
    assert "This pull request was not merged within 3 seconds" in comments()[1]
    assert entity_of(world) is None


def test_sweep_leaves_waiting_runs_alone(world: World, sweeper: Sweeper) -> None:
    waiting = world.upscale()
    world.request(waiting)
    proposed, _pull = create(world)
    runs = (waiting, proposed)
    before = [world.sandbox.run(run_id) for run_id in runs]
    locks = world.lock()

    sweeper.sweep(never_received=1, held=1, report=1)

    assert [world.sandbox.run(run_id) for run_id in runs] == before
    assert world.lock() == locks == waiting


@pytest.mark.story
def test_sweep_frees_locks_of_missing_owners(world: World, sweeper: Sweeper) -> None:
    run_id = world.upscale()
    world.request(run_id)
    table = world.outputs["tables"]["locks"]
    owners = {
        f"{world.service}-run": ("r_0000000000000404", "run"),
        f"{world.service}-look": ("0" * 32 + "-404", "remediation"),
    }
    for service, (owner, kind) in owners.items():
        row = {
            "service": f"service/{service}",
            "owner": owner,
            "kind": kind,
            "taken_at": "2026-01-01T00:00:00Z",
        }
        world.sandbox.aws("dynamodb").put_item(
            TableName=table, Item={name: {"S": value} for name, value in row.items()}
        )

    sweeper.sweep()

    assert world.lock() == run_id
    for service in owners:
        world.service = service
        assert world.lock() is None


def test_sweep_cleans_up_after_a_run_that_was_ended_manually(
    world: World, sweeper: Sweeper
) -> None:
    run_id, pull = create(world)
    # Port's automations report failures only.
    world.sandbox.port.update_run(run_id, status="SUCCESS", summary="Done by hand")

    def closed() -> bool:
        sweeper.sweep(report=1)
        return bool(pull.update() and pull.state == "closed")

    wait_for("the pull request's end", closed)

    assert world.sandbox.run(run_id)["summary"] == "Done by hand"
    wait_for("the end of the entity", lambda: entity_of(world) is None)
    world.service += "-new"
    assert world.lock() is None
