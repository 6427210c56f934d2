"""People, teams and dependencies in Port's API client."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from slipway.errors import PortError, PortUnavailable
from slipway.port.models import Run

from tests.unit.port.conftest import RUN, RUN_PATH, TOKEN, Port, refusal

pytestmark = pytest.mark.waits

USER_PATH = "/v1/users/devops%40acme.example"
TEAM_PATH = "/v1/teams/devops"
SEARCH = "POST /v1/entities/search"
# From Port's OpenAPI description: https://docs.port.io/api-reference/get-a-user
USER = {
    "id": "auth0|1",
    "email": "devops@acme.example",
    "firstName": "Devin",
    "status": "ACTIVE",
    "teams": ["DevOps"],
    "teamsIdentifiers": ["devops"],
    "roles": [{"name": "Member"}, {"name": "Approver"}],
    "orgs": [{"id": "org_1"}],
}


def test_people_of_the_organisation_are_listed(port: Port) -> None:
    port.script("GET /v1/users", (200, {"ok": True, "users": [USER]}, {}))

    (user,) = port.client().users()

    assert (user.id, user.email) == ("auth0|1", "devops@acme.example")


def test_malformed_list_of_people_is_refused(port: Port) -> None:
    port.script("GET /v1/users", (200, {"ok": True}, {}))

    with pytest.raises(PortError, match="lacks the list of users"):
        port.client().users()


def test_user_has_an_id_teams_and_roles(port: Port) -> None:
    port.script(f"GET {USER_PATH}", (200, {"ok": True, "user": USER}, {}))

    user = port.client().get_user("devops@acme.example")

    assert user is not None
    assert (user.id, user.email, user.name) == ("auth0|1", "devops@acme.example", "Devin")
    assert (user.status, user.teams) == ("ACTIVE", ["DevOps", "devops"])
    assert user.roles == ["Member", "Approver"]


@pytest.mark.parametrize(
    ("answer", "teams"),
    [
        ({"ok": True, **USER}, ["DevOps", "devops"]),
        ({"user": {**USER, "teams": [{"name": "DevOps"}]}}, ["DevOps", "devops"]),
        ({"user": {**USER, "teamsIdentifiers": ["DevOps"]}}, ["DevOps"]),
        ({"user": {**USER, "teams": None, "teamsIdentifiers": None, "roles": None}}, []),
        ({"user": {"email": "devops@acme.example"}}, []),
        ({"user": {**USER, "teams": [{"name": []}, 5, None]}}, ["devops"]),
    ],
)
def test_user_teams_are_equal_in_every_shape(
    port: Port, answer: dict[str, Any], teams: list[str]
) -> None:
    port.script(f"GET {USER_PATH}", (200, answer, {}))

    user = port.client().get_user("devops@acme.example")

    assert user is not None
    assert user.teams == teams


@pytest.mark.parametrize(("seconds", "asked"), [(299.0, 1), (300.0, 2)])
def test_person_is_read_again_after_five_minutes(port: Port, seconds: float, asked: int) -> None:
    port.script(f"GET {USER_PATH}", (200, {"ok": True, "user": USER}, {}))
    client = port.client()

    first = client.get_user("devops@acme.example")
    port.slept.append(seconds)

    assert client.get_user("devops@acme.example") == first
    assert port.routes().count(f"GET {USER_PATH}") == asked


def test_missing_person_is_read_again(port: Port) -> None:
    port.script(f"GET {USER_PATH}", (404, refusal("not_found"), {}), (200, {"user": USER}, {}))
    client = port.client()

    assert client.get_user("devops@acme.example") is None
    assert client.get_user("devops@acme.example") is not None


def test_unknown_user_is_read_as_none(port: Port) -> None:
    port.script(f"GET {USER_PATH}", (404, refusal("not_found"), {}))

    assert port.client().get_user("devops@acme.example") is None


@pytest.mark.parametrize("status", ["DISABLED", "Disabled", "INVITED", "STAGED"])
def test_user_who_cannot_sign_in_is_read_as_none(port: Port, status: str) -> None:
    port.script(f"GET {USER_PATH}", (200, {"user": {**USER, "status": status}}, {}))

    assert port.client().get_user("devops@acme.example") is None


@pytest.mark.parametrize("email", ["", ".", "..", "auth0|1", "client-id"])
def test_empty_email_is_not_requested_from_port(port: Port, email: str) -> None:
    assert port.client().get_user(email) is None
    assert port.requests == []


def test_unusual_email_is_escaped_in_the_path(port: Port) -> None:
    assert port.client().get_user("../../a@b?c#d+e") is None

    assert port.routes() == [TOKEN, "GET /v1/users/..%2F..%2Fa%40b%3Fc%23d%2Be"]


@pytest.mark.parametrize("answer", [{"user": None}, {"user": []}, {"user": {"email": 5}}, {}])
def test_user_without_an_email_is_a_port_error(port: Port, answer: dict[str, Any]) -> None:
    port.script(f"GET {USER_PATH}", (200, answer, {}))

    with pytest.raises(PortError, match="user"):
        port.client().get_user("devops@acme.example")


def test_team_members_are_those_who_can_sign_in(port: Port) -> None:
    users = [
        {"email": "a@acme.example", "status": "ACTIVE"},
        {"email": "b@acme.example", "status": "DISABLED"},
        {"email": "c@acme.example"},
        "d@acme.example",
    ]
    port.script(f"GET {TEAM_PATH}", (200, {"team": {"name": "devops", "users": users}}, {}))

    members = port.client().team_members("devops")

    assert members == ["a@acme.example", "c@acme.example", "d@acme.example"]
    (request,) = [r for r in port.requests if r.route != TOKEN]
    assert parse_qs(request.query) == {"fields": ["name", "users.email", "users.status"]}


@pytest.mark.parametrize("users", [None, []])
def test_team_without_members_is_empty(port: Port, users: object) -> None:
    port.script(f"GET {TEAM_PATH}", (200, {"team": {"name": "devops", "users": users}}, {}))

    assert port.client().team_members("devops") == []


def test_unknown_team_is_empty(port: Port) -> None:
    port.script(f"GET {TEAM_PATH}", (404, refusal("not_found"), {}))

    assert port.client().team_members("devops") == []


@pytest.mark.parametrize("team", ["", ".", ".."])
def test_invalid_team_name_is_not_requested_from_port(port: Port, team: str) -> None:
    assert port.client().team_members(team) == []
    assert port.requests == []


def test_malformed_team_is_a_port_error(port: Port) -> None:
    port.script(f"GET {TEAM_PATH}", (200, {"team": {"users": [{"name": "no address"}]}}, {}))

    with pytest.raises(PortError, match=r"team\.users\.0\.email"):
        port.client().team_members("devops")


def test_team_is_unavailable_when_port_is_down(port: Port) -> None:
    port.script(f"GET {TEAM_PATH}", (503, refusal("down"), {}))

    with pytest.raises(PortUnavailable):
        port.client(retry_budget=0).team_members("devops")


def test_dependents_are_listed_by_blueprint_and_identifier(port: Port) -> None:
    found = [
        {"blueprint": "route", "identifier": "shop-route"},
        {"blueprint": "job", "identifier": "shop-job"},
    ]
    port.script(SEARCH, (200, {"ok": True, "entities": found}, {}))

    assert port.client().dependents("service", "shop") == ["job/shop-job", "route/shop-route"]
    rule = {
        "operator": "relatedTo",
        "blueprint": "service",
        "value": "shop",
        "direction": "downstream",
    }
    assert port.bodies(SEARCH) == [{"combinator": "and", "rules": [rule]}]


@pytest.mark.parametrize("entities", [None, {}, [None], [{"blueprint": "route"}]])
def test_malformed_dependents_are_a_port_error(port: Port, entities: object) -> None:
    port.script(SEARCH, (200, {"ok": True, "entities": entities}, {}))

    with pytest.raises(PortError):
        port.client().dependents("service", "shop")


@pytest.mark.parametrize("entity", ["shop", {"identifier": "shop", "title": None, "deleted": True}])
def test_run_has_its_entity_and_author(port: Port, entity: object) -> None:
    more = {"entity": entity, "createdBy": "auth0|1", "properties": {"step": 2}}
    port.script(f"GET {RUN_PATH}", (200, {"run": {**RUN, **more}}, {}))

    run = port.client().get_run("r_1")

    assert (run.entity, run.created_by, run.properties) == ("shop", "auth0|1", {"step": 2})


@pytest.mark.parametrize("absent", [{}, {"entity": None, "createdBy": None}])
def test_run_without_entity_and_author_has_none(
    absent: dict[str, None],
) -> None:
    run = Run.model_validate({**RUN, **absent})

    assert (run.entity, run.created_by) == (None, "")
