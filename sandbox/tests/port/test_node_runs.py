from typing import Any

import pytest

from sandbox.tests.port.harness import Port

DONE = {"status": "COMPLETED", "result": "SUCCESS", "output": {"summary": "Done."}}


def reach(port: Port, payload: Any) -> str:
    answer = port.http.request("POST", "/_sandbox/node-runs", json={"payload": payload})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["nodeRun"])


def shown(port: Port, run: str) -> dict[str, Any]:
    found: dict[str, Any] = port.http.request("GET", f"/_sandbox/node-runs/{run}").json()["nodeRun"]
    return found


@pytest.mark.parametrize("payload", [{"action": "a"}, [1]])
def test_node_publishes_its_payload_in_a_wrapper(port: Port, payload: Any) -> None:
    run = reach(port, payload)

    (message,) = port.messages("runs")
    assert message["context"]["runId"] == run
    assert run.startswith("wfnr_")
    assert message["payload"] == payload


def test_node_run_takes_logs_until_it_is_completed(port: Port) -> None:
    path = f"/workflows/nodes/runs/{reach(port, {})}"
    line = {"logs": [{"level": "INFO", "message": "one"}]}

    port.call("POST", f"{path}/logs", line, 201)
    answer = port.call("PATCH", path, DONE)

    assert (answer["nodeRun"]["status"], answer["nodeRun"]["result"]) == ("COMPLETED", "SUCCESS")
    assert shown(port, path.rsplit("/", 1)[1])["logs"] == ["one"]
    assert port.refused("POST", f"{path}/logs", line) == (422, "run_exhausted")
    assert port.refused("PATCH", path, DONE) == (422, "run_exhausted")


def test_node_run_needs_a_result_to_be_completed(port: Port) -> None:
    path = f"/workflows/nodes/runs/{reach(port, {})}"

    assert port.refused("PATCH", path, {"status": "COMPLETED"}) == (422, "invalid_request")
    assert port.refused("POST", f"{path}/logs", {"logs": []}) == (422, "invalid_request")


def test_unknown_node_run_is_not_found(port: Port) -> None:
    line = {"logs": [{"level": "INFO", "message": "one"}]}
    path = "/workflows/nodes/runs/wfnr_none"

    assert port.refused("PATCH", path, DONE) == (404, "not_found")
    assert port.refused("POST", f"{path}/logs", line) == (404, "not_found")


def test_node_run_cannot_be_read_by_the_api(port: Port) -> None:
    path = f"/v1/workflows/nodes/runs/{reach(port, {})}"

    assert port.http.request("GET", path, headers=port.headers).status_code == 405
