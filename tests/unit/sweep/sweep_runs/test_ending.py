"""Which runs the sweep ends, and which it leaves alone."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from slipway.aws import dynamodb_table
from slipway.errors import SweepIncomplete
from slipway.runs.ledger import timestamp
from slipway.runs.records import put_record
from slipway.sweep.sweep import sweep

from tests.unit.conftest import RUN_ID
from tests.unit.sweep.sweep_runs.conftest import (
    BRANCHES,
    PR_URL,
    RUN,
    SHOP,
    World,
    ago,
    execution,
)

pytestmark = pytest.mark.waits


def test_sweep_ends_a_run_that_was_never_received(world: World) -> None:
    world.run(executed=ago(minutes=16))
    world.rung(3)

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Never received")
    assert "within 15 minutes" in update["summary"]
    assert world.asked_github() == ["GET /pulls", BRANCHES]


def test_sweep_ends_a_run_that_was_postponed_for_too_long(
    world: World,
) -> None:
    world.run()
    since = timestamp(ago(days=4))
    dynamodb_table("runs").put_item(Item={"run_id": RUN_ID, "updated_at": since, "postponed": 20})

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "On hold for too long"
    assert world.row()["outcome"] == "FAILURE"


@pytest.mark.parametrize(
    ("state", "result", "changed", "updates"),
    [
        ("Disabled", "OK", timedelta(days=2), 0),
        ("Enabling", "OK", timedelta(days=2), 0),
        ("Enabled", "OK", timedelta(minutes=10), 0),
        ("Enabled", "OK", timedelta(minutes=16), 1),
        ("Enabled", "PROBLEM: SASL authentication failed", timedelta(minutes=16), 0),
    ],
)
def test_sweep_gives_runs_of_a_paused_function_their_full_time(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    result: str,
    changed: timedelta,
    updates: int,
) -> None:
    modified = (datetime.now(UTC) - changed).timestamp()
    world.mapping(monkeypatch, State=state, LastModified=modified, LastProcessingResult=result)
    world.run(executed=ago(days=2))
    world.rung(3)

    sweep(60)

    assert len(world.updates()) == updates


def test_sweep_leaves_run_when_its_mapping_is_being_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.mapping(monkeypatch, status=404)
    world.run(executed=ago(days=2))
    world.rung(3)

    sweep(60)

    assert world.updates() == []


def test_sweep_puts_a_run_on_hold_when_its_record_failed(
    world: World,
) -> None:
    world.run(executed=ago(minutes=16))
    message = {"resourceType": "run", "action": "upscale_service", "context": {"runId": RUN_ID}}
    record = {
        "topic": "org_test.runs",
        "partition": 0,
        "offset": 3,
        "timestamp": 0,
        "value": base64.b64encode(json.dumps(message).encode()).decode(),
    }
    put_record("records", f"held/{RUN_ID}.json", record, replace=True)

    sweep(60)

    assert world.updates() == []
    (log,) = world.port.bodies(f"POST {RUN}/logs")
    assert log["statusLabel"].startswith("On hold, reference ")
    assert (world.row()["open"], world.row()["action"]) == ("yes", "upscale_service")


@pytest.mark.parametrize(
    ("status", "minutes"), [("IN_PROGRESS", 1), ("WAITING_FOR_APPROVAL", 5 * 24 * 60)]
)
def test_sweep_does_not_count_the_time_of_an_approval_in_port(
    world: World, status: str, minutes: int
) -> None:
    world.run(status=status, changed=ago(minutes=minutes))

    sweep(60)

    assert world.updates() == []


def test_run_waiting_in_port_is_swept_when_slipway_received_it(world: World) -> None:
    world.run(status="WAITING_FOR_APPROVAL", changed=ago(days=5))
    world.seen()

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "On hold for too long")


def test_sweep_ignores_runs_of_other_actions(
    world: World,
) -> None:
    world.run(action="foreign_action")

    sweep(60)

    assert world.updates() == []


def test_sweep_names_and_leaves_a_run_without_a_time(world: World) -> None:
    world.run()
    for name in ("createdAt", "updatedAt"):
        del world.listed[0][name]

    with pytest.raises(SweepIncomplete, match=f"when run {RUN_ID}"):
        sweep(60)

    assert world.updates() == []


def test_sweep_ends_a_run_whose_execution_was_stopped(world: World) -> None:
    world.run()
    world.seen(resumed=2)
    execution(f"{RUN_ID}-2", aborted=True)

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "Stopped"
    assert "stopped by an operator" in update["summary"]
    assert world.row()["outcome"] == "FAILURE"
    assert world.holder() is None


def test_sweep_ends_a_run_on_hold_for_too_long(
    world: World,
) -> None:
    world.run()
    world.seen()
    for folder in ("later", "requests"):
        put_record("records", f"{folder}/{RUN_ID}.json", {}, replace=True)

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "On hold for too long"
    assert "within 3 days" in update["summary"]
    assert world.row()["outcome"] == "FAILURE"
    assert world.holder() is None
    stored = boto3.client("s3").list_objects_v2(Bucket="records").get("Contents", [])
    assert all(item["Key"].startswith("policy/") for item in stored)


@pytest.mark.parametrize("why", ["approval", "postponed", "just seen", "on hold for an hour"])
def test_sweep_sends_no_github_request_for_waiting_runs(world: World, why: str) -> None:
    world.run()
    later = timestamp(datetime.now(UTC) + timedelta(hours=1))
    match why:
        case "approval":
            world.seen()
            execution(RUN_ID)
        case "postponed":
            world.seen(resume_at=later)
        case "just seen":
            world.seen(at=ago(seconds=1))
        case "on hold for an hour":
            world.seen(at=ago(hours=1))

    sweep(60)

    assert world.updates() == []
    assert world.holder() == RUN_ID
    assert world.asked_github() == ["GET /pulls", BRANCHES]


def test_sweep_reads_open_pull_requests_in_pages_of_100(
    world: World,
) -> None:
    world.pull("open")
    (pull,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    pages: list[list[Any]] = [[], []]
    for number in range(101):
        run_id = f"r_{number:016}"
        world.run(run_id)
        world.seen(run_id, pr_number=number)
        head = {**pull["head"], "ref": f"slipway/upscale_service/{run_id}"}
        pages[number // 100].append({**pull, "number": number, "head": head})
    link = f'<{world.github.url}/repos/acme/services/pulls?page=2>; rel="next"'
    first, second = pages
    world.github.script("GET /pulls", (200, first, {"Link": link}), (200, second, {}))

    sweep(60)

    assert world.asked_github() == ["GET /pulls", "POST /graphql", "GET /pulls", BRANCHES]
    assert world.github.requests[0].query.split("&").count("per_page=100") == 1
    assert not any(route.startswith("PATCH") for route in world.port.routes())


def test_run_of_a_removed_action_ends_with_its_pull_request(world: World) -> None:
    action, branch = "reboot_service", f"slipway/reboot_service/{RUN_ID}"
    run = {"id": RUN_ID, "status": "IN_PROGRESS", "action": {"identifier": action}}
    ended = {**run, "status": "FAILURE"}
    world.ended(RUN_ID, action)
    world.port.script(
        f"GET {RUN}", (200, {"ok": True, "run": run}, {}), (200, {"ok": True, "run": ended}, {})
    )
    world.seen(action=action, pr_number=7, pr_url="https://github.test/pull/7")
    world.pull("open")
    world.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Action removed")
    assert world.github.sent("PATCH /pulls/7") == [{"state": "closed"}]
    assert world.holder() is None
    assert world.row()["outcome"] == "FAILURE"


def in_progress(world: World, action: str = "upscale_service") -> None:
    """Have Port show the run as in progress, then as ended."""
    world.run(action=action)
    run = {"id": RUN_ID, "status": "IN_PROGRESS", "action": {"identifier": action}}
    ended = {**run, "status": "FAILURE"}
    world.port.script(
        f"GET {RUN}", (200, {"ok": True, "run": run}, {}), (200, {"ok": True, "run": ended}, {})
    )


def test_run_ends_when_the_key_of_its_repository_was_removed(world: World) -> None:
    in_progress(world)
    world.seen(repository="payments", pr_number=7, pr_url=PR_URL)

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Repository removed")
    assert "removed the repository 'payments' from `github.repositories`" in update["summary"]
    assert PR_URL in update["summary"]
    assert world.holder() is None
    assert world.row()["outcome"] == "FAILURE"
    assert world.asked_github() == ["GET /pulls", BRANCHES]


def test_request_ends_when_the_key_of_its_repository_was_removed(world: World) -> None:
    in_progress(world)
    world.seen(repository="payments")
    execution(RUN_ID)

    sweep(60)

    (update,) = world.updates()
    assert update["statusLabel"] == "Repository removed"
    assert "pull request" not in update["summary"]
    assert world.holder() is None


def test_pending_entity_is_removed_when_its_repository_was(world: World) -> None:
    in_progress(world, "create_service")
    world.seen(action="create_service", repository="payments", pr_number=7, pr_url=PR_URL)
    world.entity(health_status="Pending", pr_url=PR_URL)

    sweep(60)

    assert f"DELETE {SHOP}" in world.port.routes()


def test_run_stays_when_its_repository_was_just_removed(world: World) -> None:
    in_progress(world)
    world.seen(at=ago(minutes=29), repository="payments", pr_number=7, pr_url=PR_URL)

    sweep(60)

    assert world.updates() == []
    assert world.holder() == RUN_ID


@pytest.mark.parametrize(
    "row", [{"repository": "payments", "pr_number": 7}, {"action": "reboot_service"}]
)
def test_ended_run_is_cleaned_up_when_something_was_removed(
    world: World, row: dict[str, Any]
) -> None:
    world.seen(**row)
    world.ended(RUN_ID, row.get("action", "upscale_service"))
    world.pull("closed")

    sweep(60)

    assert world.updates() == []
    assert world.row()["outcome"] == "FAILURE"
    assert world.holder() is None
