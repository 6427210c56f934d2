"""Slipway's client and messages against an implementation of Port's contract, over HTTP."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from slipway.errors import PortError, RunEnded, SignatureRejected
from slipway.port import message
from slipway.port.signature import verify

from sandbox.testing import OWN_ROUTES
from scripts import port_definitions, port_setup
from tests.entities import shipped
from tests.port_server import CREDENTIALS, PortServer

pytestmark = pytest.mark.waits

DEVELOPER, DEVOPS = "developer@acme.example", "devops@acme.example"


def request(server: PortServer, identifier: str, **properties: Any) -> str:
    """Make the entity of an approval request, as Slipway writes it."""
    body = {
        "identifier": identifier,
        "title": "Upscale shop",
        "properties": {"status": "Pending", "service": "shop", **properties},
    }
    server.client.upsert_entity("approval_request", body)
    return identifier


def test_second_installation_changes_nothing(
    server: PortServer,
) -> None:
    steps = port_setup.plan(server.client, port_definitions.load_definitions())

    assert [step.name for step in steps if step.change] == []
    # One for each action, which reports the run's end, and one for health changes.
    actions = sum(len(kind.actions) for kind in shipped().kinds.values())
    assert sum(step.name.startswith("automation ") for step in steps) == actions + 1


@pytest.mark.parametrize(
    ("email", "team", "role"),
    [
        (DEVELOPER, "payments", "Member"),
        (DEVOPS, "devops", "Approver"),
        ("admin@acme.example", "platform", "Admin"),
    ],
)
def test_person_has_an_id_teams_and_roles(
    server: PortServer, email: str, team: str, role: str
) -> None:
    user = server.client.get_user(email)

    assert user is not None
    assert (user.email, user.teams, user.active) == (email, [team], True)
    assert role in user.roles
    assert user.id.startswith("auth0|")


@pytest.mark.parametrize("email", ["nobody@acme.example", "DEVOPS@else.example", "a/../b@acme"])
def test_unknown_person_is_read_as_none(server: PortServer, email: str) -> None:
    assert server.client.get_user(email) is None


def test_team_has_its_members(server: PortServer) -> None:
    assert server.client.team_members("devops") == [DEVOPS]


@pytest.mark.parametrize("team", ["nobody", "a/b", "ünknown", ".."])
def test_unknown_team_has_no_members(server: PortServer, team: str) -> None:
    assert server.client.team_members(team) == []


def test_dependents_of_a_service_are_named(
    server: PortServer,
) -> None:
    route = {
        "identifier": "route",
        "title": "Route",
        "schema": {"properties": {}},
        "relations": {"service": {"target": "service"}},
    }
    server.client.request("POST", "/v1/blueprints", json=route)
    assert server.client.dependents("service", "shop") == []
    for name in ("checkout", "basket"):
        body = {"identifier": name, "relations": {"service": "shop"}}
        server.client.create_entity("route", body)

    assert server.client.dependents("service", "shop") == ["route/basket", "route/checkout"]
    assert server.client.dependents("route", "basket") == []
    with pytest.raises(PortError) as refused:
        server.client.request(
            "DELETE",
            "/v1/blueprints/service/entities/shop",
            params={"delete_dependents": "false"},
        )
    assert refused.value.code == "has_dependents"


def test_approval_request_is_not_a_dependent_of_its_service(
    server: PortServer,
) -> None:
    request(server, "r_0000000000000001.1")

    assert not any("approval" in name for name in server.client.dependents("service", "shop"))


def test_decision_message_and_run_name_the_same_person(
    server: PortServer,
) -> None:
    identifier = request(server, "r_0000000000000002.1")
    inputs = {"decision": "APPROVE", "comment": "fine", "change": "f" * 64}
    run_id = server.execute("decide_approval", inputs, identifier, DEVOPS)

    value = server.message(run_id)
    assert message.run_ended(value) is None
    assert message.identify(value) == run_id
    read = message.parse(value)
    run, user = server.client.get_run(run_id), server.client.get_user(DEVOPS)

    assert user is not None
    assert (read.action, read.blueprint, read.entity) == (
        "decide_approval",
        "approval_request",
        identifier,
    )
    assert read.inputs == inputs
    assert read.requester.email == DEVOPS
    assert (run.entity, run.created_by, run.properties) == (identifier, user.id, inputs)
    assert read.requester.user_id == user.id


def test_message_is_unsigned_by_default(server: PortServer) -> None:
    run_id = server.execute("upscale_service", {}, "shop", DEVELOPER)

    secrets = [CREDENTIALS["client_secret"]]
    assert not verify(server.text(run_id), secrets, datetime.now(UTC), required=False)


def test_message_that_port_signs_is_verified(tmp_path: Path) -> None:
    with PortServer(tmp_path, "sandbox.port", "--sign-messages") as server:
        server.client.create_entity("service", {"identifier": "shop", "title": "Shop"})
        run_id = server.execute("upscale_service", {}, "shop", DEVELOPER)
        text, now = server.text(run_id), datetime.now(UTC)

    assert verify(text, [CREDENTIALS["client_secret"]], now, required=True)
    with pytest.raises(SignatureRejected):
        verify(text, ["another secret of more than 32 bytes"], now, required=True)


def test_dry_run_is_an_input_of_the_run(server: PortServer) -> None:
    run_id = server.execute("upscale_service", {"dry_run": True}, "shop", DEVELOPER)

    read = message.parse(server.message(run_id))

    assert read.inputs == {"step": 1, "dry_run": True}


def test_slipway_can_end_the_automation_run_of_an_ended_run(
    server: PortServer,
) -> None:
    run_id = server.execute("upscale_service", {}, "shop", DEVELOPER)
    server.sign_in(DEVELOPER).update_run(run_id, status="FAILURE")

    answer = server.client.request(
        "GET", "/v1/actions/runs", params={"action": "upscale_service_ended", "version": "v2"}
    )
    (own,) = [found["id"] for found in answer["runs"]]
    value = server.message(own)
    assert message.run_ended(value) == message.EndedRun(run_id=run_id, automation_run_id=own)
    assert server.client.get_run(run_id).ended
    server.client.update_run(own, status="SUCCESS")
    assert server.client.get_run(own).status == "SUCCESS"


def test_run_shows_its_links_label_and_summary(
    server: PortServer,
) -> None:
    run_id = server.execute("upscale_service", {}, "shop", DEVELOPER)
    links = ["https://port.test/request", "https://github.test/pull/1"]

    server.client.update_run(run_id, status_label="Waiting for approval", link=links)
    server.client.update_run(run_id, summary="Approved")
    run = server.client.get_run(run_id)

    assert (run.status, run.status_label, run.link, run.summary) == (
        "IN_PROGRESS",
        "Waiting for approval",
        links,
        "Approved",
    )
    server.client.update_run(run_id, status="SUCCESS")
    with pytest.raises(RunEnded):
        server.client.update_run(run_id, status="FAILURE")


def test_active_runs_are_listed_over_several_pages(
    server: PortServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {run.id for run in server.client.active_runs("upscale_service")}
    made = [server.execute("upscale_service", {}, "shop", DEVELOPER) for _ in range(3)]
    server.client.update_run(made[1], status="SUCCESS")
    monkeypatch.setattr("slipway.port.client._PAGE", 1)

    found = [run for run in server.client.active_runs("upscale_service") if run.id not in before]

    assert [run.id for run in found] == [made[2], made[0]]
    assert all(run.created_at and run.updated_at and not run.ended for run in found)
    assert list(server.client.active_runs("nobodys_action")) == []


def test_deleting_an_entity_twice_succeeds(server: PortServer) -> None:
    server.client.create_entity("service", {"identifier": "gone", "title": "Gone"})

    for _ in range(2):
        server.client.delete_entity("service", "gone")

    assert server.client.get_entity("service", "gone") is None


def test_node_run_accepts_slipways_writes(server: PortServer) -> None:
    url = f"{server.url}/_sandbox/node-runs"
    answer = requests.post(url, json={"payload": {}}, headers=OWN_ROUTES, timeout=300)
    run = answer.json()["nodeRun"]

    server.client.add_log(run, "one", status_label="Waiting")
    server.client.update_run(run, link=["https://x"])
    server.client.update_run(run, status="FAILURE", status_label="Failed", summary="Why.")

    shown = requests.get(f"{url}/{run}", headers=OWN_ROUTES, timeout=300).json()["nodeRun"]
    assert shown["logs"] == ["Waiting: one", "https://x"]
    assert (shown["status"], shown["result"]) == ("COMPLETED", "FAILED")
    with pytest.raises(RunEnded):
        server.client.add_log(run, "two")
