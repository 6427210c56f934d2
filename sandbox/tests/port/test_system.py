from typing import Any

from sandbox.tests.port.harness import (
    CLIENT_ID,
    CREATE_SERVICE,
    Port,
    Start,
    add_service,
    execute,
)


def test_the_seeded_people_have_roles_and_teams(port: Port) -> None:
    users = {user["email"]: user for user in port.call("GET", "/users")["users"]}
    found = {
        email: ([role["name"] for role in user["roles"]], user["teams"])
        for email, user in users.items()
    }
    assert found == {
        "admin@acme.example": (["Admin"], ["platform"]),
        "developer@acme.example": (["Member"], ["payments"]),
        "devops@acme.example": (["Member", "Approver"], ["devops"]),
    }
    user = port.call("GET", "/users/admin@acme.example")["user"]
    assert user["teamsIdentifiers"] == ["platform"]
    assert port.refused("GET", "/users/nobody@acme.example") == (404, "not_found")


def test_users_and_teams_are_entities(port: Port) -> None:
    users = port.call("GET", "/blueprints/_user/entities")["entities"]
    assert len(users) == 3
    body = {"identifier": "new@acme.example", "title": "New One", "team": ["payments"]}
    port.call("POST", "/blueprints/_user/entities", body, 201)
    port.sign_in("new@acme.example").call("GET", "/teams")
    team = port.call("GET", "/teams/payments", fields="users.email")["team"]
    assert team == {"users": [{"email": "developer@acme.example"}, {"email": "new@acme.example"}]}


def test_a_teams_members_are_shown_if_they_are_asked_for(port: Port) -> None:
    alone = port.call("GET", "/teams/devops")["team"]
    assert "users" not in alone
    assert alone["name"] == "devops"
    fields = ["name", "users.email", "users.status"]
    member = {"email": "devops@acme.example", "status": "ACTIVE"}
    wanted = {"name": "devops", "users": [member]}
    assert port.call("GET", "/teams/devops", fields=fields)["team"] == wanted
    assert wanted in port.call("GET", "/teams", fields=fields)["teams"]
    assert all("users" in team for team in port.call("GET", "/teams")["teams"])
    assert port.refused("GET", "/teams/devops", fields="users.x") == (422, "invalid_request")


def test_a_disabled_user_cannot_sign_in(port: Port) -> None:
    developer = port.sign_in("developer@acme.example")
    body = {"properties": {"status": "Disabled"}}
    port.call("PATCH", "/blueprints/_user/entities/developer@acme.example", body)
    assert developer.refused("GET", "/teams") == (401, "invalid_token")


def test_organisation_can_be_read(port: Port) -> None:
    organization = port.call("GET", "/organization")["organization"]

    assert organization == {"id": "org_sandbox", "name": "Sandbox", "featureFlags": []}


def test_kafka_credentials_are_for_administrators(start: Start) -> None:
    port = start(kafka_username="u", kafka_password="p", kafka_brokers=("b:1", "b:2"))
    credentials = port.call("GET", "/kafka-credentials")["credentials"]
    assert credentials == {"username": "u", "password": "p", "brokers": ["b:1", "b:2"]}
    member = port.sign_in("developer@acme.example")
    assert member.refused("GET", "/kafka-credentials") == (403, "missing_permissions")


def test_the_audit_log_tells_who_did_what(catalogue: Port) -> None:
    add_service(catalogue, "a")
    run = execute(catalogue)
    body = {"identifier": "b", "properties": {"owner": "D"}}
    catalogue.call("POST", "/blueprints/service/entities", body, 201, run_id=run["id"])

    def found(**query: Any) -> list[tuple[str, str]]:
        audits = catalogue.call("GET", "/audit-log", **query)["audits"]
        return [(event["resourceType"], event["action"]) for event in audits]

    assert found()[:3] == [("entity", "CREATE"), ("run", "CREATE"), ("entity", "CREATE")]
    assert found(run_id=run["id"]) == [("entity", "CREATE"), ("run", "CREATE")]
    assert found(entity="a", resources="entity") == [("entity", "CREATE")]
    assert found(resources=["blueprint"]) == [("blueprint", "CREATE")]
    assert found(action="DELETE") == []
    assert len(found(limit=2)) == 2
    assert found(**{"from": "2999-01-01T00:00:00.000Z"}) == []
    (event,) = catalogue.call("GET", "/audit-log", entity="a", includes=["trigger"])["audits"]
    assert event["trigger"]["by"]["userId"] == CLIENT_ID
    assert event.keys() == {"trigger"}


def test_members_see_their_own_part_of_the_audit_log(catalogue: Port) -> None:
    developer = catalogue.sign_in("developer@acme.example")
    run = execute(developer)
    audits = developer.call("GET", "/audit-log")["audits"]
    assert [event["context"]["runId"] for event in audits] == [run["id"]]


def test_run_and_entity_readers_see_their_part_of_the_audit_log(catalogue: Port) -> None:
    developer = catalogue.sign_in("developer@acme.example")
    run = execute(developer)
    body = {"identifier": "b", "properties": {"owner": "D"}}
    catalogue.call("POST", "/blueprints/service/entities", body, 201, run_id=run["id"])

    of_run = developer.call("GET", "/audit-log", run_id=run["id"])["audits"]
    of_entity = developer.call("GET", "/audit-log", blueprint="service", entity="b")["audits"]
    assert [event["resourceType"] for event in of_run] == ["entity", "run"]
    assert [event["resourceType"] for event in of_entity] == ["entity"]


def test_the_audit_log_of_a_run_is_for_those_who_may_see_the_run(catalogue: Port) -> None:
    catalogue.call(
        "PUT", "/actions/create_service", {**CREATE_SERVICE, "allowAnyoneToViewRuns": False}
    )
    run = execute(catalogue)

    developer = catalogue.sign_in("developer@acme.example")

    assert developer.call("GET", "/audit-log", run_id=run["id"])["audits"] == []


def test_a_browser_is_the_user_interface(catalogue: Port) -> None:
    catalogue.headers["User-Agent"] = "Mozilla/5.0"
    assert execute(catalogue)["source"] == "UI"
