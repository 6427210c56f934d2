from typing import Any

import pytest

from sandbox.tests.port.harness import CREATE_SERVICE, Port, execute

DEVELOPER, DEVOPS, ADMIN = (f"{name}@acme.example" for name in ("developer", "devops", "admin"))


def guard(port: Port, required: Any, **approve: Any) -> None:
    """Have create_service approved."""
    port.call("PUT", "/actions/create_service", {**CREATE_SERVICE, "requiredApproval": required})
    rules = {"roles": [], "users": [], "teams": [], **approve}
    port.call("PATCH", "/actions/create_service/permissions", {"approve": rules})


def decide(port: Port, run: dict[str, Any], status: str, **more: Any) -> dict[str, Any]:
    path = f"/actions/runs/{run['id']}/approval"
    decided: dict[str, Any] = port.call("PATCH", path, {"status": status, **more}, 201)["run"]
    return decided


def states(port: Port, run: dict[str, Any], *, pending: bool = True) -> list[str]:
    path = f"/actions/runs/{run['id']}/approvers"
    found = port.call("GET", path, include_pending_approvers=pending)["approvers"]
    return [approver["state"] for approver in found]


@pytest.fixture
def guarded(catalogue: Port) -> Port:
    guard(catalogue, required=True, teams=["devops"])
    return catalogue


def test_nothing_is_published_before_the_approval(guarded: Port) -> None:
    run = execute(guarded)
    assert run["status"] == "WAITING_FOR_APPROVAL"
    assert guarded.messages("runs") == []
    approved = decide(guarded.sign_in(DEVOPS), run, "APPROVE", description="fine")
    assert approved["status"] == "IN_PROGRESS"
    assert approved["approval"]["description"] == "fine"
    assert approved["approval"]["state"] == "APPROVED"
    assert [message["context"]["runId"] for message in guarded.messages("runs")] == [run["id"]]


def test_a_declined_run_is_over(guarded: Port) -> None:
    run = execute(guarded)
    declined = decide(guarded.sign_in(DEVOPS), run, "DECLINE", description="not now")
    assert declined["status"] == "DECLINED"
    assert declined["endedAt"]
    assert guarded.messages("runs") == []
    path = f"/actions/runs/{run['id']}/approval"
    refusal = guarded.refused("PATCH", path, {"status": "APPROVE"})
    assert refusal == (422, "run_not_waiting_for_approval")


def test_only_approvers_decide(guarded: Port) -> None:
    run = execute(guarded)
    path = f"/actions/runs/{run['id']}/approval"
    for other in (DEVELOPER, ADMIN):
        refusal = guarded.sign_in(other).refused("PATCH", path, {"status": "APPROVE"})
        assert refusal == (403, "missing_permissions")


def test_a_decision_must_be_one(guarded: Port) -> None:
    path = f"/actions/runs/{execute(guarded)['id']}/approval"
    assert guarded.refused("PATCH", path, {"status": "MAYBE"}) == (422, "invalid_request")
    assert guarded.refused("PATCH", path.replace("r_", "x_"), {"status": "APPROVE"})[0] == 404


def test_the_organisations_credentials_decide_alone(guarded: Port) -> None:
    assert decide(guarded, execute(guarded), "APPROVE")["status"] == "IN_PROGRESS"


def test_all_means_all(catalogue: Port) -> None:
    guard(catalogue, {"type": "ALL"}, users=[DEVOPS, ADMIN])
    run = execute(catalogue)
    devops, admin = catalogue.sign_in(DEVOPS), catalogue.sign_in(ADMIN)
    assert decide(devops, run, "APPROVE")["status"] == "WAITING_FOR_APPROVAL"
    assert decide(devops, run, "APPROVE")["status"] == "WAITING_FOR_APPROVAL"
    assert states(catalogue, run) == ["APPROVED", "PENDING"]
    assert states(catalogue, run, pending=False) == ["APPROVED"]
    assert decide(admin, run, "APPROVE")["status"] == "IN_PROGRESS"
    assert states(catalogue, run) == ["APPROVED", "APPROVED"]


def test_any_means_one_and_one_decline_ends_it(catalogue: Port) -> None:
    guard(catalogue, {"type": "ANY"}, users=[DEVOPS, ADMIN])
    devops = catalogue.sign_in(DEVOPS)
    assert decide(devops, execute(catalogue), "APPROVE")["status"] == "IN_PROGRESS"
    guard(catalogue, {"type": "ALL"}, users=[DEVOPS, ADMIN])
    assert decide(devops, execute(catalogue), "DECLINE")["status"] == "DECLINED"


def test_without_approvers_the_administrators_are_asked(catalogue: Port) -> None:
    guard(catalogue, required=True)
    run = execute(catalogue)
    assert decide(catalogue.sign_in(ADMIN), run, "APPROVE")["status"] == "IN_PROGRESS"


def test_the_query_for_approvers_must_say_which(guarded: Port) -> None:
    path = f"/actions/runs/{execute(guarded)['id']}/approvers"
    assert guarded.refused("GET", path) == (422, "invalid_request")


def test_a_waiting_run_can_be_withdrawn_but_not_succeed(guarded: Port) -> None:
    path = f"/actions/runs/{execute(guarded)['id']}"
    assert guarded.refused("PATCH", path, {"status": "SUCCESS"}) == (422, "invalid_request")
    assert guarded.call("PATCH", path, {"status": "FAILURE"})["run"]["status"] == "FAILURE"
    assert guarded.messages("runs") == []


def test_entities_cannot_be_written_for_a_waiting_run(guarded: Port) -> None:
    run = execute(guarded)
    body = {"identifier": "a", "properties": {"owner": "D"}}
    path = "/blueprints/service/entities"
    assert guarded.refused("POST", path, body, run_id=run["id"]) == (400, "run_exhausted")


def test_a_policy_chooses_the_approvers(catalogue: Port) -> None:
    rule = {"property": "$blueprint", "operator": "=", "value": "_user"}
    team = {"property": "$team", "operator": "containsAny", "value": "{{ .inputs.service_name }}"}
    policy = {
        "queries": {"owners": {"combinator": "and", "rules": [rule, team]}},
        "conditions": ["[.results.owners.entities[].identifier]"],
    }
    guard(catalogue, required=True, teams=["devops"], policy=policy)
    body = {"properties": {"service_name": "payments"}}
    run = catalogue.call("POST", "/actions/create_service/runs", body, 202)["run"]
    refusal = catalogue.sign_in(DEVOPS).refused(
        "PATCH", f"/actions/runs/{run['id']}/approval", {"status": "APPROVE"}
    )
    assert refusal == (403, "missing_permissions")
    assert decide(catalogue.sign_in(DEVELOPER), run, "APPROVE")["status"] == "IN_PROGRESS"


def test_execution_can_be_limited_to_teams_and_by_policy(catalogue: Port) -> None:
    path = "/actions/create_service/permissions"
    developer = catalogue.sign_in(DEVELOPER)
    body = {"properties": {"service_name": "a"}}
    catalogue.call("PATCH", path, {"execute": {"roles": [], "teams": ["platform"]}})
    refusal = developer.refused("POST", "/actions/create_service/runs", body)
    assert refusal == (403, "missing_permissions")
    policy = {"queries": {}, "conditions": ['.trigger.user.email == "developer@acme.example"']}
    catalogue.call("PATCH", path, {"execute": {"policy": policy}})
    developer.call("POST", "/actions/create_service/runs", body, 202)
