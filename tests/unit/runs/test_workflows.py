"""Runs of workflow nodes: accepted only if the installation allows it, and without a person."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from slipway.config import load
from slipway.runs import clients
from slipway.runs.node_runs import NodeRuns
from slipway.runs.owners import run_is_over

from tests.unit.runs.consuming import DONE, NOW, Scene, event, row

pytestmark = pytest.mark.waits

NODE = "wfnr_0123456789abcdef"
PATH = f"/v1/workflows/nodes/runs/{NODE}"
UNKNOWN: Any = (404, {"ok": False, "error": "not_found"}, {})


@pytest.fixture
def taken(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("WORKFLOWS", "true")
    load.cache_clear()
    clients.port_client.cache_clear()
    scene.port.script(f"POST {PATH}/logs", (201, {"ok": True}, {}))
    scene.port.script(f"PATCH {PATH}", (200, {"ok": True}, {}))
    yield scene
    load.cache_clear()


def node(run_id: str = NODE, **changes: Any) -> dict[str, Any]:
    payload = {
        "action": "create_service",
        "operation": "CREATE",
        "blueprint": "service",
        "entity": None,
        "requestedAt": "2026-11-23T10:00:00Z",
        "properties": {"service_name": "shop"},
        **changes,
    }
    return {"context": {"runId": run_id, "workflowRunId": "wfr_1"}, "payload": payload}


def lines(scene: Scene) -> list[str]:
    return [
        log["message"] for body in scene.port.bodies(f"POST {PATH}/logs") for log in body["logs"]
    ]


def test_node_run_is_skipped_by_default(scene: Scene) -> None:
    assert scene.consume(event(node())) == DONE

    assert not scene.acted
    assert not scene.port.requests


@pytest.mark.parametrize("wrapped", [True, False])
def test_node_run_is_carried_out_with_the_message_inputs(taken: Scene, wrapped: bool) -> None:
    message = node()
    if not wrapped:
        message |= message.pop("payload")

    assert taken.consume(event(message)) == DONE

    (run,) = taken.acted
    assert (run.run_id, run.created_by) == (NODE, "")
    assert run.message.inputs == {"service_name": "shop"}
    assert (run.message.requester.email, run.message.censored) == ("", ())
    assert run.message.requested_at == datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_log_is_the_first_write_to_a_node_run(taken: Scene) -> None:
    taken.consume(event(node()))

    assert taken.port.routes()[1] == f"POST {PATH}/logs"
    assert lines(taken) == ["Slipway received the request (trace no-trace)."]


def test_unknown_node_run_is_skipped(taken: Scene) -> None:
    taken.port.script(f"POST {PATH}/logs", UNKNOWN)

    assert taken.consume(event(node())) == DONE

    assert not taken.acted
    assert row("runs", run_id=NODE) is None
    assert taken.port.routes().count(f"POST {PATH}/logs") == 1


@pytest.mark.parametrize(
    "message",
    [
        node(action="restart_database"),
        node(action={"invocationMethod": {"type": "WEBHOOK", "agent": True}}),
        node(properties=[1]),
        {"context": {"runId": NODE}, "payload": [1, 2]},
        node(run_id="wfnr_../x"),
        node(run_id="wfr_1"),
    ],
)
def test_other_messages_of_workflows_are_skipped(taken: Scene, message: dict[str, Any]) -> None:
    assert taken.consume(event(message)) == DONE

    assert not taken.acted
    assert not taken.port.requests


def test_malformed_node_request_ends_the_node_run(taken: Scene) -> None:
    taken.consume(event(node(requestedAt="soon")))

    (body,) = taken.port.bodies(f"PATCH {PATH}")
    assert (body["status"], body["result"]) == ("COMPLETED", "FAILED")
    assert "requestedAt" in body["output"]["summary"]


def test_ended_node_run_is_not_carried_out_again(taken: Scene) -> None:
    taken.consume(event(node(requestedAt="soon")))

    assert taken.consume(event(node(), timestamp=NOW + 1)) == DONE

    assert not taken.acted
    assert len(taken.port.bodies(f"PATCH {PATH}")) == 1


def test_ledger_decides_which_runs_are_node_runs(aws: None) -> None:
    boto3.resource("dynamodb").Table("runs").put_item(
        Item={
            "run_id": NODE,
            "action": "upscale_service",
            "service": "shop",
            "open_since": "2026-11-23T10:00:00Z",
        }
    )
    runs = NodeRuns("runs")
    assert (runs.get(NODE).status, runs.get(NODE).entity) == ("IN_PROGRESS", "shop")

    runs.note_end(NODE, "FAILURE")

    assert runs.get(NODE).ended


def test_lock_of_a_node_run_is_kept_until_it_ends(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients.port_client.cache_clear()
    port = clients.port_client()
    table = boto3.resource("dynamodb").Table("runs")
    table.put_item(Item={"run_id": NODE, "action": "upscale_service"})
    assert not run_is_over(port, NODE)

    NodeRuns("runs").note_end(NODE, "SUCCESS")

    assert run_is_over(port, NODE)
    clients.port_client.cache_clear()
