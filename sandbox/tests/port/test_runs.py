import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.tests.port.harness import (
    CLIENT_ID,
    CLIENT_SECRET,
    CREATE_SERVICE,
    Port,
    Start,
    add_service,
    execute,
)

RUN = {"properties": {"service_name": "my-service"}}


def action(
    port: Port, properties: dict[str, Any], payload: Any = None, **more: Any
) -> dict[str, Any]:
    """Replace create_service's inputs and message."""
    body = {
        **CREATE_SERVICE,
        "trigger": {**CREATE_SERVICE["trigger"], "userInputs": {"properties": properties}},
        "invocationMethod": {"type": "KAFKA", "payload": payload or {"inputs": "{{ .inputs }}"}},
        **more,
    }
    made: dict[str, Any] = port.call("PUT", "/actions/create_service", body)["action"]
    return made


def test_executing_gives_a_run_in_progress_and_a_message(catalogue: Port) -> None:
    run = execute(catalogue)
    assert run["id"].startswith("r_")
    assert len(run["id"]) == 18
    assert run["status"] == "IN_PROGRESS"
    assert run["action"] == {
        "identifier": "create_service",
        "title": "Create New Service",
        "icon": None,
    }
    assert run["properties"] == {"service_name": "my-service", "replicas": 2}
    assert (run["source"], run["createdBy"]) == ("API", CLIENT_ID)
    assert catalogue.call("GET", f"/actions/runs/{run['id']}", version="v2")["run"] == run


def test_the_message_is_the_rendered_template(catalogue: Port) -> None:
    run = execute(catalogue.sign_in("developer@acme.example"))
    (message,) = catalogue.messages("runs")
    user = message["trigger"]["by"]["user"]
    assert message["action"] == "create_service"
    assert message["context"] == {"entity": None, "blueprint": "service", "runId": run["id"]}
    assert message["payload"]["properties"] == {"service_name": "my-service", "replicas": 2}
    assert message["payload"]["entity"] is None
    assert message["payload"]["action"] == {
        "invocationMethod": {"type": "KAFKA"},
        "trigger": "CREATE",
    }
    assert (user["email"], user["firstName"]) == ("developer@acme.example", "Dana")
    assert message["trigger"]["by"]["userId"] == user["id"] == run["createdBy"]


def test_a_message_has_no_spaces_and_no_escapes(catalogue: Port) -> None:
    action(catalogue, {"text": {"type": "string"}}, {"text": "{{ .inputs.text }}", "n": 1.0})
    catalogue.call("POST", "/actions/create_service/runs", {"properties": {"text": "né"}}, 202)
    catalogue.messages("runs")
    values = [value for topic, value in catalogue.publisher.sent if topic == "org_sandbox.runs"]
    assert values == ['{"text":"né","n":1}'.encode()]


def test_a_day_two_action_gets_its_entity(catalogue: Port) -> None:
    add_service(catalogue, "a", replicas=3)
    body = {"properties": {}, "entity": "a"}
    run = catalogue.call("POST", "/actions/upscale_service/runs", body, 202)["run"]
    assert run["entity"] == {"identifier": "a", "title": "a", "icon": None}
    (message,) = catalogue.messages("runs")
    assert message["context"]["entity"] == "a"
    assert message["payload"]["entity"]["properties"]["replicas"] == 3


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("none", RUN, (404, "not_found")),
        ("create_service", {}, (422, "invalid_request")),
        ("create_service", {**RUN, "extra": 1}, (422, "invalid_request")),
        ("create_service", {"properties": {}}, (422, "user_inputs_schema_invalid")),
        (
            "create_service",
            {"properties": {"service_name": "../x"}},
            (422, "user_inputs_schema_invalid"),
        ),
        ("upscale_service", {"properties": {}}, (422, "missing_self_service_action_entity")),
        ("upscale_service", {"properties": {}, "entity": "none"}, (404, "not_found")),
        (
            "upscale_service",
            {"properties": {}, "entity": "big"},
            (422, "entity_does_not_pass_condition"),
        ),
    ],
)
def test_a_wrong_request_is_refused(
    catalogue: Port, name: str, body: Any, expected: tuple[int, str]
) -> None:
    add_service(catalogue, "big", replicas=10)
    assert catalogue.refused("POST", f"/actions/{name}/runs", body) == expected
    assert catalogue.call("GET", "/actions/runs")["runs"] == []
    assert catalogue.messages("runs") == []


def test_an_automation_cannot_be_executed(catalogue: Port) -> None:
    event = {"type": "RUN_CREATED", "actionIdentifier": "create_service"}
    body = {
        "identifier": "auto",
        "trigger": {"type": "automation", "event": event},
        "invocationMethod": {"type": "KAFKA"},
    }
    catalogue.call("POST", "/actions", body, 201)
    answer = catalogue.refused("POST", "/actions/auto/runs", {"properties": {}})
    assert answer == (422, "run_non_self_service_error")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"x": "{{ .inputs.service_name.x }}"}, "evaluate_invocation_method_error"),
        ({"{{ spreadValue() }}": "{{ 1 }}"}, "evaluate_invocation_method_error"),
    ],
)
def test_a_template_that_fails_refuses_the_run(catalogue: Port, payload: Any, code: str) -> None:
    action(catalogue, {"service_name": {"type": "string"}}, payload)
    assert catalogue.refused("POST", "/actions/create_service/runs", RUN) == (422, code)


def test_an_upsert_action_writes_the_entity_and_ends_itself(catalogue: Port) -> None:
    mapping = {
        "identifier": "{{ .inputs.service_name }}",
        "properties": {"owner": "{{ .trigger.by.user.email }}"},
    }
    method = {
        "type": "UPSERT_ENTITY",
        "blueprintIdentifier": "service",
        "mapping": mapping,
    }
    action(catalogue, {"service_name": {"type": "string"}}, invocationMethod=method)
    developer = catalogue.sign_in("developer@acme.example")
    run = developer.call("POST", "/actions/create_service/runs", RUN, 202)["run"]
    assert run["status"] == "SUCCESS"
    entity = catalogue.call("GET", "/blueprints/service/entities/my-service")["entity"]
    assert entity["properties"]["owner"] == "developer@acme.example"
    failed = catalogue.call("POST", "/actions/create_service/runs", RUN, 202)["run"]
    assert failed["status"] == "FAILURE"  # machine credentials have no user, so no owner
    logs = catalogue.call("GET", f"/actions/runs/{failed['id']}/logs")["runLogs"]
    assert "owner" in logs[0]["message"]


def test_secret_inputs_are_encrypted_and_never_stored_as_text(catalogue: Port) -> None:
    secret = {"type": "string", "encryption": "aes256-gcm"}
    payload = {"properties": "{{ .inputs }}", "censored": "{{ .action.encryptedProperties }}"}
    action(catalogue, {"password": secret, "name": {"type": "string"}}, payload)
    body = {"properties": {"password": "s3cr3t-value", "name": "a"}}
    run = catalogue.call("POST", "/actions/create_service/runs", body, 202)["run"]
    (message,) = catalogue.messages("runs")
    assert message["censored"] == ["password"]
    raw = base64.b64decode(message["properties"]["password"])
    plain = AESGCM(CLIENT_SECRET.encode()[:32]).decrypt(raw[:16], raw[16:], None)
    assert plain == b"s3cr3t-value"
    assert "s3cr3t-value" not in str(run)
    folder = catalogue.settings.state_dir
    assert not [f for f in folder.iterdir() if b"s3cr3t-value" in f.read_bytes()]


def test_entity_inputs_are_whole_entities_in_templates(catalogue: Port) -> None:
    add_service(catalogue, "a")
    one = {"type": "string", "format": "entity", "blueprint": "service"}
    many = {"type": "array", "items": one}
    payload = {"one": "{{ .inputs.one.properties.owner }}", "many": "{{ [.inputs.many[].title] }}"}
    action(catalogue, {"one": one, "many": many}, payload)
    body = {"properties": {"one": "a", "many": ["a"]}}
    run = catalogue.call("POST", "/actions/create_service/runs", body, 202)["run"]
    assert catalogue.messages("runs") == [{"one": "Dana", "many": ["a"]}]
    assert run["properties"] == {"one": "a", "many": ["a"]}
    body = {"properties": {"one": "none", "many": []}}
    refusal = catalogue.refused("POST", "/actions/create_service/runs", body)
    assert refusal == (422, "user_inputs_schema_invalid")


def test_run_in_a_persons_name_names_the_credentials(catalogue: Port) -> None:
    run = execute(catalogue, run_as="developer@acme.example")

    user = catalogue.call("GET", "/users/developer@acme.example")["user"]
    assert (run["createdBy"], run["impersonatedBy"]) == (user["id"], CLIENT_ID)


def test_run_as_needs_machine_credentials_and_a_user(catalogue: Port) -> None:
    path = "/actions/create_service/runs"
    admin = catalogue.sign_in("admin@acme.example")
    refusal = admin.refused("POST", path, RUN, run_as="developer@acme.example")
    assert refusal == (403, "missing_permissions")
    assert catalogue.refused("POST", path, RUN, run_as="nobody@acme.example")[0] == 404


@pytest.mark.waits
def test_many_requests_at_once_lose_and_repeat_nothing(catalogue: Port) -> None:
    with ThreadPoolExecutor(50) as pool:
        made = list(pool.map(lambda _: execute(catalogue)["id"], range(50)))
    sent = [message["context"]["runId"] for message in catalogue.messages("runs")]
    assert sorted(sent) == sorted(made)


# --- the life of a run


def test_patch_overwrites_each_key(catalogue: Port) -> None:
    path = f"/actions/runs/{execute(catalogue)['id']}"
    catalogue.call("PATCH", path, {"link": ["https://a.example"], "summary": "one"})
    run = catalogue.call("PATCH", path, {"link": "https://b.example", "statusLabel": "Busy"})["run"]
    assert (run["link"], run["summary"]) == (["https://b.example"], "one")
    assert (run["status"], run["statusLabel"]) == ("IN_PROGRESS", "Busy")
    assert "endedAt" not in run


@pytest.mark.parametrize(
    "body", [{"status": "IN_PROGRESS"}, {"state": "SUCCESS"}, {"link": 1}, {"statusLabel": 1}]
)
def test_patch_takes_nothing_else(catalogue: Port, body: Any) -> None:
    path = f"/actions/runs/{execute(catalogue)['id']}"
    assert catalogue.refused("PATCH", path, body) == (422, "invalid_request")


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE"])
def test_a_status_ends_the_run_for_good(catalogue: Port, status: str) -> None:
    path = f"/actions/runs/{execute(catalogue)['id']}"
    run = catalogue.call("PATCH", path, {"status": status})["run"]
    assert run["status"] == status
    assert run["endedAt"]
    refusal = (422, "run_exhausted")
    assert catalogue.refused("PATCH", path, {"summary": "late"}) == refusal
    assert catalogue.refused("POST", f"{path}/logs", {"message": "late"}) == refusal


def test_a_lax_server_accepts_a_patch_after_the_end(start: Start) -> None:
    port = start(run_exhausted="lax")
    port.call(
        "POST",
        "/blueprints",
        {"identifier": "service", "title": "S", "schema": {"properties": {}}},
        201,
    )
    port.call("POST", "/actions", CREATE_SERVICE, 201)
    path = f"/actions/runs/{execute(port)['id']}"
    ended = port.call("PATCH", path, {"status": "FAILURE"})["run"]["endedAt"]
    run = port.call("PATCH", path, {"status": "SUCCESS"})["run"]
    assert (run["status"], run["endedAt"]) == ("SUCCESS", ended)
    assert port.refused("POST", f"{path}/logs", {"message": "late"}) == (422, "run_exhausted")


def test_an_unknown_run_is_not_found(catalogue: Port) -> None:
    path = "/actions/runs/r_none"
    assert catalogue.refused("GET", path) == (404, "not_found")
    assert catalogue.refused("PATCH", path, {}) == (404, "not_found")
    assert catalogue.refused("POST", f"{path}/logs", {"message": "x"}) == (404, "not_found")
    assert catalogue.refused("GET", f"{path}/logs") == (404, "not_found")


def test_log_lines_come_back_in_their_order(catalogue: Port) -> None:
    run = execute(catalogue)
    path = f"/actions/runs/{run['id']}/logs"
    for number in range(3):
        line = catalogue.call("POST", path, {"message": f"line {number}"}, 201)["runLog"]
    assert line.keys() == {"id", "runId", "message", "createdBy", "createdAt"}
    assert (line["runId"], line["createdBy"]) == (run["id"], CLIENT_ID)
    found = catalogue.call("GET", path, limit=2, offset=1)["runLogs"]
    assert [entry["message"] for entry in found] == ["line 1", "line 2"]
    assert catalogue.refused("GET", path, limit=51) == (422, "invalid_request")


def test_the_last_log_line_can_end_the_run_once(catalogue: Port) -> None:
    path = f"/actions/runs/{execute(catalogue)['id']}"
    body = {"message": "done", "terminationStatus": "SUCCESS", "statusLabel": "Merged"}
    catalogue.call("POST", f"{path}/logs", body, 201)
    run = catalogue.call("GET", path)["run"]
    assert (run["status"], run["statusLabel"]) == ("SUCCESS", "Merged")
    assert catalogue.refused("POST", f"{path}/logs", body) == (422, "run_exhausted")


def test_the_older_shape_names_things_by_identifier(catalogue: Port) -> None:
    add_service(catalogue, "a")
    body = {"properties": {}, "entity": "a"}
    run = catalogue.call("POST", "/actions/upscale_service/runs", body, 202)["run"]
    catalogue.call("DELETE", "/blueprints/service/entities/a")
    old = catalogue.call("GET", f"/actions/runs/{run['id']}")["run"]
    assert (old["action"], old["entity"]) == ("upscale_service", "a")
    assert old["blueprint"]["identifier"] == "service"
    assert (old["relatedEntityExists"], old["relatedBlueprintExists"]) == (False, True)
    assert old["endedAt"] is None
    new = catalogue.call("GET", f"/actions/runs/{run['id']}", version="v2")["run"]
    assert new["entity"] == {"identifier": "a", "title": None, "icon": None, "deleted": True}


def test_runs_are_listed_newest_first_and_filtered(catalogue: Port) -> None:
    add_service(catalogue, "a")
    first = execute(catalogue.sign_in("developer@acme.example"))
    second = execute(catalogue)
    body = {"properties": {}, "entity": "a"}
    third = catalogue.call("POST", "/actions/upscale_service/runs", body, 202)["run"]
    catalogue.call("PATCH", f"/actions/runs/{second['id']}", {"externalRunId": "pull/7"})
    catalogue.call("PATCH", f"/actions/runs/{third['id']}", {"status": "SUCCESS"})

    def ids(**query: Any) -> list[str]:
        return [run["id"] for run in catalogue.call("GET", "/actions/runs", **query)["runs"]]

    assert ids() == [third["id"], second["id"], first["id"]]
    assert ids(external_run_id="pull/7") == [second["id"]]
    assert ids(active=True) == [second["id"], first["id"]]
    assert ids(active=False) == [third["id"]]
    assert ids(entity="a", blueprint="service") == [third["id"]]
    assert ids(action="create_service", limit=1) == [second["id"]]
    assert ids(user_email="developer@acme.example") == [first["id"]]
    assert ids(user_id=CLIENT_ID) == [third["id"], second["id"]]
    assert ids(source="UI") == []
    assert catalogue.refused("GET", "/actions/runs", limit=1001)[0] == 422


def test_long_lists_come_in_pages(catalogue: Port) -> None:
    made = [execute(catalogue)["id"] for _ in range(3)]
    first = catalogue.call("GET", "/actions/runs", limit=2, exclude=["payload"])
    second = catalogue.call("GET", "/actions/runs", limit=2, next=first["next"])
    assert [run["id"] for run in first["runs"] + second["runs"]] == made[::-1]
    assert "next" not in second
    assert "payload" not in first["runs"][0]


def test_a_removed_action_leaves_its_runs(catalogue: Port) -> None:
    run = execute(catalogue)
    catalogue.call("DELETE", "/actions/create_service")
    found = catalogue.call("GET", f"/actions/runs/{run['id']}", version="v2")["run"]
    assert found["action"]["deleted"] is True


def test_members_see_only_their_own_runs_where_that_is_wanted(catalogue: Port) -> None:
    run = execute(catalogue)
    developer = catalogue.sign_in("developer@acme.example")
    developer.call("GET", f"/actions/runs/{run['id']}")
    action(
        catalogue,
        CREATE_SERVICE["trigger"]["userInputs"]["properties"],
        allowAnyoneToViewRuns=False,
    )
    assert developer.refused("GET", f"/actions/runs/{run['id']}") == (403, "missing_permissions")
    own = execute(developer)
    listed = developer.call("GET", "/actions/runs")["runs"]
    assert [entry["id"] for entry in listed] == [own["id"]]
    refusal = developer.refused("PATCH", f"/actions/runs/{run['id']}", {"summary": "x"})
    assert refusal == (403, "missing_permissions")
