"""Runs of workflow nodes, which Port's API treats differently."""

from typing import Any

import pytest
from slipway.errors import RunNotFound

from tests.unit.port.conftest import Port, refusal

pytestmark = pytest.mark.waits

ENTITIES = "/v1/blueprints/service/entities"
NODE = "wfnr_1"
NODE_PATH = f"/v1/workflows/nodes/runs/{NODE}"


def test_node_run_log_begins_with_its_label(port: Port) -> None:
    port.script(f"POST {NODE_PATH}/logs", (201, {"ok": True}, {}))

    port.client().add_log(NODE, "one")
    port.client().add_log(NODE, "two", status_label="Held")

    assert port.bodies(f"POST {NODE_PATH}/logs") == [
        {"logs": [{"level": "INFO", "message": "one"}]},
        {"logs": [{"level": "INFO", "message": "Held: two"}]},
    ]


@pytest.mark.parametrize(("status", "result"), [("SUCCESS", "SUCCESS"), ("FAILURE", "FAILED")])
def test_node_run_is_ended_with_its_result(port: Port, status: Any, result: str) -> None:
    port.script(f"PATCH {NODE_PATH}", (200, {"ok": True}, {}))

    port.client().update_run(NODE, status=status, status_label="Done", summary="Why.")

    (body,) = port.bodies(f"PATCH {NODE_PATH}")
    assert body == {
        "status": "COMPLETED",
        "result": result,
        "output": {"label": "Done", "summary": "Why."},
    }


def test_node_run_links_go_into_its_log(port: Port) -> None:
    port.script(f"POST {NODE_PATH}/logs", (201, {"ok": True}, {}))

    port.client().update_run(NODE, status_label="Waiting", link=["https://x"])

    (body,) = port.bodies(f"POST {NODE_PATH}/logs")
    assert body["logs"][0]["message"] == "Waiting https://x"


def test_unknown_node_run_is_not_found(port: Port) -> None:
    port.script(f"POST {NODE_PATH}/logs", (404, refusal("not_found"), {}))

    with pytest.raises(RunNotFound):
        port.client().add_log(NODE, "one")


def test_node_run_is_not_read_from_port(port: Port) -> None:
    with pytest.raises(RunNotFound):
        port.client().get_run(NODE)

    assert port.routes() == []


def test_entity_is_not_linked_to_a_node_run(port: Port) -> None:
    port.script(f"POST {ENTITIES}", (201, {"entity": {"identifier": "shop"}}, {}))

    port.client().create_entity("service", {"identifier": "shop"}, run_id=NODE)

    assert port.requests[-1].query == "upsert=false"
