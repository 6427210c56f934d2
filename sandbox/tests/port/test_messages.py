import json
import time
from typing import Any

import pytest

from sandbox.port.outbox import PublishError
from sandbox.port.signature import sign
from sandbox.tests.port.harness import (
    CLIENT_ID,
    CLIENT_SECRET,
    CREATE_SERVICE,
    SERVICE,
    UPSCALE,
    Port,
    RecordingPublisher,
    Start,
    add_service,
    execute,
)
from sandbox.tests.waiting import wait_for


def prepared(start: Start, **changes: Any) -> Port:
    port = start(**changes)
    port.call("POST", "/blueprints", SERVICE, 201)
    port.call("POST", "/actions", CREATE_SERVICE, 201)
    port.call("POST", "/actions", UPSCALE, 201)
    return port


# --- messages of runs


def test_an_action_without_a_template_sends_the_older_envelope(catalogue: Port) -> None:
    body = {**CREATE_SERVICE, "invocationMethod": {"type": "KAFKA"}}
    catalogue.call("PUT", "/actions/create_service", body)

    run = execute(catalogue)

    (message,) = catalogue.messages("runs")
    assert list(message) == ["action", "resourceType", "status", "trigger", "context", "payload"]
    assert message["context"] == {"entity": None, "blueprint": "service", "runId": run["id"]}
    payload = message["payload"]
    assert payload["entity"] is None
    assert payload["action"]["trigger"] == "CREATE"
    assert payload["action"]["identifier"] == "create_service"
    assert payload["action"]["userInputs"]["required"] == ["service_name"]
    assert payload["action"]["invocationMethod"] == {"type": "KAFKA"}
    assert payload["properties"] == run["properties"]
    assert payload["censoredProperties"] == []


def test_messages_are_signed_if_that_is_wanted(start: Start) -> None:
    port = prepared(start, sign_messages=True)
    before = int(time.time())
    execute(port)
    (message,) = port.messages("runs")
    headers = message["headers"]
    assert headers.keys() == {"X-Port-Signature", "X-Port-Timestamp"}
    assert before <= headers["X-Port-Timestamp"] <= time.time()
    unsigned = {**message, "headers": {}}
    assert sign(unsigned, CLIENT_SECRET, headers["X-Port-Timestamp"]) == message


def test_an_array_as_payload_is_sent_as_it_is(start: Start) -> None:
    port = prepared(start, sign_messages=True)
    method = {"type": "KAFKA", "payload": ["{{ .run.id }}"]}
    port.call("PUT", "/actions/create_service", {**CREATE_SERVICE, "invocationMethod": method})
    run = execute(port)
    assert port.messages("runs") == [[run["id"]]]


# --- the change log


def test_a_change_carries_the_whole_entity_before_and_after(logged: Port) -> None:
    path = "/blueprints/service/entities/a"
    created = add_service(logged, "a")
    updated = logged.call("PATCH", path, {"properties": {"replicas": 2}})["entity"]
    logged.call("DELETE", path)
    messages = logged.messages("change.log")
    assert [message["action"] for message in messages] == ["CREATE", "UPDATE", "DELETE"]
    # Unlike an answer, a message has a null for what an entity does not have.
    first, second = {"icon": None, **created}, {"icon": None, **updated}
    assert [message["diff"] for message in messages] == [
        {"before": None, "after": first},
        {"before": first, "after": second},
        {"before": second, "after": None},
    ]
    update = messages[1]
    assert (update["resourceType"], update["status"]) == ("entity", "SUCCESS")
    assert update["context"] == {"entity": "a", "blueprint": "service"}
    assert update["trigger"]["by"] == {"orgId": "org_sandbox", "userId": CLIENT_ID}
    assert update["trigger"]["origin"] == "API"
    assert update["changelogDestination"] == {"type": "KAFKA"}


def test_a_change_names_the_run_in_whose_name_it_was_made(logged: Port) -> None:
    run = execute(logged)
    body = {"identifier": "a", "properties": {"owner": "D"}}
    logged.call("POST", "/blueprints/service/entities", body, 201, run_id=run["id"])
    message = logged.messages("change.log")[-1]
    assert message["context"] == {"entity": "a", "blueprint": "service", "runId": run["id"]}


def test_change_log_has_only_blueprints_that_ask_for_it(start: Start) -> None:
    port = start(change_log=True)
    port.call("POST", "/blueprints", SERVICE, 201)
    add_service(port, "a")
    assert port.messages("change.log") == []


def test_change_log_is_published_only_in_its_mode(catalogue: Port) -> None:
    add_service(catalogue, "a")
    execute(catalogue)
    assert catalogue.messages("change.log") == []


def test_runs_are_in_the_change_log(logged: Port) -> None:
    run = execute(logged.sign_in("developer@acme.example"))
    logged.call("PATCH", f"/actions/runs/{run['id']}", {"status": "SUCCESS"})
    created, ended = logged.messages("change.log")
    assert (created["resourceType"], created["action"]) == ("run", "CREATE")
    assert created["trigger"]["by"]["userId"] == run["createdBy"]
    assert (ended["action"], ended["context"]["runId"]) == ("UPDATE", run["id"])
    assert ended["diff"]["before"]["status"] == "IN_PROGRESS"
    assert ended["diff"]["after"]["status"] == "SUCCESS"
    assert "changelogDestination" not in ended


def test_a_refused_write_leaves_no_message(logged: Port) -> None:
    items = [{"identifier": "a", "properties": {"owner": "D"}}, {"identifier": "b"}]
    path = "/blueprints/service/entities/bulk"
    logged.http.request("POST", f"/v1{path}", json={"entities": items}, headers=logged.headers)
    assert [m["context"]["entity"] for m in logged.messages("change.log")] == ["a"]


# --- the outbox


def test_messages_wait_for_the_broker_and_keep_their_order(catalogue: Port) -> None:
    catalogue.publisher.down = True
    runs = [execute(catalogue)["id"] for _ in range(3)]
    with pytest.raises(PublishError):
        catalogue.messages("runs")
    assert catalogue.http.request("GET", "/_sandbox/health").json()["unsent"] > 0
    catalogue.publisher.down = False
    assert [m["context"]["runId"] for m in catalogue.messages("runs")] == runs


@pytest.mark.waits
def test_what_was_not_sent_is_sent_after_a_restart(start: Start) -> None:
    down = RecordingPublisher(down=True)
    port = prepared(start, publisher=down)
    run = execute(port)
    start.stop()
    after = start()
    wait_for(lambda: len(after.publisher.sent) >= 1)
    assert [m["context"]["runId"] for m in after.messages("runs")] == [run["id"]]


@pytest.mark.waits
def test_the_outbox_sends_without_being_asked(catalogue: Port) -> None:
    execute(catalogue)
    wait_for(lambda: len(catalogue.publisher.sent) == 1)


def test_undeliverable_message_does_not_block_the_others(
    catalogue: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes | None] = []

    def publish(_topic: str, value: bytes | None) -> None:
        if value == b"too large":
            raise PublishError("too large", permanent=True)
        sent.append(value)

    monkeypatch.setattr(catalogue.publisher, "publish", publish)
    for text in ("too large", "small"):
        body = {"topic": "runs", "text": text}
        catalogue.http.request("POST", "/_sandbox/publish", json=body)
    catalogue.messages("runs")
    assert sent == [b"small"]
    answer = catalogue.http.request("GET", "/_sandbox/messages").json()["messages"]
    assert [message["error"] for message in answer] == [None, "too large"]


# --- messages on demand


def test_a_message_can_be_delivered_again(catalogue: Port) -> None:
    run = execute(catalogue)
    answer = catalogue.http.request("POST", "/_sandbox/redeliver", json={"run_id": run["id"]})
    assert answer.status_code == 200
    first, second = catalogue.messages("runs")
    assert first == second
    answer = catalogue.http.request("POST", "/_sandbox/redeliver", json={"run_id": "r_none"})
    assert answer.status_code == 404


@pytest.mark.waits
@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"topic": "runs", "text": "no json"}, b"no json"),
        ({"topic": "org_sandbox.runs", "value": [1, {"a": "é"}]}, '[1,{"a":"é"}]'.encode()),
        ({"topic": "runs"}, None),
    ],
)
def test_any_message_can_be_sent(port: Port, body: dict[str, Any], value: bytes | None) -> None:
    assert port.http.request("POST", "/_sandbox/publish", json=body).status_code == 200
    wait_for(lambda: bool(port.publisher.sent))
    assert port.publisher.sent == [("org_sandbox.runs", value)]


def test_only_the_organisations_topics_are_written_to(port: Port) -> None:
    body = {"topic": "other", "text": "x"}
    assert port.http.request("POST", "/_sandbox/publish", json=body).status_code == 422


def test_what_was_published_can_be_looked_at(catalogue: Port) -> None:
    run = execute(catalogue)
    catalogue.messages("runs")
    query = {"run_id": run["id"], "topic": "org_sandbox.runs"}
    answer = catalogue.http.request("GET", "/_sandbox/messages", params=query).json()
    (message,) = answer["messages"]
    assert json.loads(message["value"])["context"]["runId"] == run["id"]
    assert message["sentAt"]
