"""Runs that the sweep ends like their pull request, because no report of it was requested.

The report writes the catalogue entry: tests/unit/reports tests all of it.
"""

import json
from typing import Any

import pytest
from slipway.aws import dynamodb_table
from slipway.runs.ledger import timestamp
from slipway.sweep.sweep import sweep

from tests.unit.conftest import RUN_ID
from tests.unit.sweep.sweep_runs.conftest import PR_URL, SHOP, UPSERT, World, ago

pytestmark = pytest.mark.waits


@pytest.mark.parametrize(("state", "result"), [("merged", "SUCCESS"), ("closed", "FAILED")])
def test_node_run_ends_with_its_pull_request(world: World, state: str, result: str) -> None:
    node = "wfnr_0123456789abcdef"
    path = f"/v1/workflows/nodes/runs/{node}"
    world.port.script(f"POST {path}/logs", (201, {"ok": True}, {}))
    world.port.script(f"PATCH {path}", (200, {"ok": True}, {}))
    world.seen(node, pr_number=7, pr_url=PR_URL)
    world.pull(state)
    world.entity(replicas=3)
    world.folder({"portData.json": port_data(), "common_values.yaml": "replicas: 4\n"})
    pull = {**world.github.pull, **pull_of(world, node, state)}
    world.github.script("GET /pulls", (200, [], {}), (200, [pull], {}))
    branch = f"slipway/upscale_service/{node}"
    world.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))

    sweep(60)

    (body,) = world.port.bodies(f"PATCH {path}")
    assert (body["status"], body["result"]) == ("COMPLETED", result)
    assert f"Pull request #7 was {state}" in body["output"]["summary"]
    assert [body["properties"].get("replicas") for body in world.port.bodies(UPSERT)] == (
        [4] if state == "merged" else []
    )
    assert dynamodb_table("runs").get_item(Key={"run_id": node})["Item"]["outcome"]
    assert world.holder() is None


def test_node_run_with_an_open_pull_request_is_left(world: World) -> None:
    node = "wfnr_0123456789abcdef"
    world.seen(node, pr_number=7, pr_url=PR_URL)
    pull = {**world.github.pull, **pull_of(world, node, "open")}
    world.github.script("GET /pulls", (200, [pull], {}))

    sweep(60)

    assert world.holder() == node
    assert not any("workflows" in route for route in world.port.routes())


def pull_of(world: World, run_id: str, state: str) -> dict[str, Any]:
    """Return the differences of another run's pull request."""
    ended = None if state == "open" else timestamp(ago(minutes=1))
    return {
        "state": "open" if state == "open" else "closed",
        "created_at": timestamp(ago(days=1)),
        "merged_at": ended if state == "merged" else None,
        "closed_at": ended,
        "head": {
            "ref": f"slipway/upscale_service/{run_id}",
            "sha": "a" * 40,
            "repo": {"id": 7, "full_name": "acme/services"},
        },
        "base": {"ref": "main", "repo": {"id": 7, "full_name": "acme/services"}},
    }


def port_data(**changes: str) -> str:
    said = {
        "identifier": "shop",
        "blueprint": "service",
        "environment": "Test",
        "owner": "dev@acme.example",
        "health_status": "Pending",
        "run_id": RUN_ID,
    }
    return json.dumps({**said, **changes})


@pytest.mark.parametrize("known", [True, False])
def test_unreported_create_gets_its_complete_entity(world: World, known: bool) -> None:
    # This also covers a function that was killed before it created the pending entity.
    world.merged("create_service")
    world.folder({"portData.json": port_data(), "common_values.yaml": "replicas: 4\n"})
    if known:
        world.entity(health_status="Pending", sync_status="OutOfSync", pr_url=PR_URL)

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("SUCCESS", "Merged")
    (entity,) = world.port.bodies(UPSERT)
    written = {
        "environment": "Test",
        "owner": "dev@acme.example",
        "namespace": "shop",
        "replicas": 4,
        "health_status": "Progressing",
    }
    created = {} if known else {"sync_status": "OutOfSync", "pr_url": PR_URL}
    assert entity["properties"] == written | created
    assert world.row()["outcome"]
    assert world.holder() is None


def test_unreported_delete_removes_the_entity(world: World) -> None:
    world.merged("delete_service")
    world.entity(health_status="Healthy")

    sweep(60)

    assert world.port.routes().count(f"DELETE {SHOP}") == 1
    assert world.updates()[0]["status"] == "SUCCESS"


def test_unreported_closed_create_removes_its_entity(world: World) -> None:
    world.run(action="create_service")
    world.seen(action="create_service", pr_number=7, pr_url=PR_URL)
    world.pull("closed")
    world.entity(health_status="Pending", pr_url=PR_URL)

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Closed")
    assert f"DELETE {SHOP}" in world.port.routes()
