"""Who is behind what API clients wrote."""

from typing import Any

from sandbox.tests.port.harness import Port, add_service, execute

Json = dict[str, Any]
DEVELOPER = "developer@acme.example"


def _traces(port: Port) -> Json:
    answer = port.http.request("GET", "/_sandbox/portal/traces", headers=port.headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def _write(port: Port, name: str, method: str = "POST", **query: Any) -> None:
    body = {"identifier": name, "properties": {"owner": "Dana"}}
    path = "/blueprints/service/entities" + (f"/{name}" if method == "PATCH" else "")
    port.call(method, path, body, 201 if method == "POST" else 200, **query)


def test_traces_name_the_run_that_created_an_entity(port: Port) -> None:
    run = execute(port, run_as=DEVELOPER)
    _write(port, "orders", run_id=run["id"])
    _write(port, "orders", "PATCH")

    found = _traces(port)

    trace = {"blueprint": "service", "identifier": "orders", "runId": run["id"]}
    assert (found["created"], found["changed"]) == ([trace], [])
    assert found["requesters"] == {run["id"]: run["createdBy"]}
    assert run["createdBy"].startswith("auth0|")


def test_traces_name_the_run_of_the_last_change(port: Port) -> None:
    first, last = (execute(port, run_as=DEVELOPER)["id"] for _ in range(2))
    add_service(port, "orders")
    for run_id in (first, last):
        _write(port, "orders", "PATCH", run_id=run_id)

    found = _traces(port)

    assert [trace["runId"] for trace in found["changed"]] == [last]
    assert found["created"] == []


def test_traces_leave_out_runs_that_the_caller_may_not_see(port: Port) -> None:
    definition = port.call("GET", "/actions/create_service")["action"]
    owned = {"id", "createdAt", "createdBy", "updatedAt", "updatedBy"}
    body = {key: value for key, value in definition.items() if key not in owned}
    port.call("PUT", "/actions/create_service", {**body, "allowAnyoneToViewRuns": False})
    run = execute(port, run_as=DEVELOPER)
    _write(port, "orders", run_id=run["id"])

    assert _traces(port.sign_in("devops@acme.example"))["created"] == []
    assert len(_traces(port.sign_in(DEVELOPER))["created"]) == 1
