"""Runs and entities of Port's API client, on a real HTTP server."""

from typing import Any

import pytest
from slipway.errors import PortError, RunEnded, RunNotFound

from tests.scripted import Answer
from tests.unit.port.conftest import RUN, RUN_PATH, TOKEN, Port, refusal

pytestmark = pytest.mark.waits

ENTITIES = "/v1/blueprints/service/entities"


def test_unknown_run_is_not_found_when_read(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (404, refusal("not_found"), {}))

    with pytest.raises(RunNotFound):
        port.client().get_run("r_1")


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "DECLINED"])
def test_run_has_ended_in_every_terminal_status(port: Port, status: str) -> None:
    port.script(f"GET {RUN_PATH}", (200, {"run": {**RUN, "status": status}}, {}))

    assert port.client().get_run("r_1").ended


@pytest.mark.parametrize("link", [None, "https://x", ["https://x"], []])
def test_run_links_of_any_shape_are_read_as_a_list(port: Port, link: object) -> None:
    port.script(f"GET {RUN_PATH}", (200, {"run": {**RUN, "link": link}}, {}))

    assert port.client().get_run("r_1").link in ([], ["https://x"])


def test_writing_to_an_ended_run_raises_run_ended(port: Port) -> None:
    port.script(f"POST {RUN_PATH}/logs", (422, refusal("run_exhausted"), {}))
    port.script(f"PATCH {RUN_PATH}", (422, refusal("run_exhausted"), {}))

    with pytest.raises(RunEnded):
        port.client().add_log("r_1", "text")
    with pytest.raises(RunEnded):
        port.client().update_run("r_1", status="SUCCESS")


def test_run_update_sends_only_the_given_fields(port: Port) -> None:
    port.script(f"PATCH {RUN_PATH}", (200, {"ok": True}, {}))

    port.client().update_run("r_1", status_label="Waiting", link=["https://x"])

    assert port.bodies(f"PATCH {RUN_PATH}") == [{"statusLabel": "Waiting", "link": ["https://x"]}]


@pytest.mark.parametrize("call", ["add_log", "update_run"])
def test_unknown_run_is_not_found_when_written(port: Port, call: str) -> None:
    port.script(f"POST {RUN_PATH}/logs", (404, refusal("not_found"), {}))
    port.script(f"PATCH {RUN_PATH}", (404, refusal("not_found"), {}))
    client = port.client()

    with pytest.raises(RunNotFound):
        client.add_log("r_1", "x") if call == "add_log" else client.update_run("r_1", summary="x")


def test_log_line_is_sent_with_its_label(port: Port) -> None:
    port.script(f"POST {RUN_PATH}/logs", (201, {"ok": True, "runLog": {}}, {}))

    port.client().add_log("r_1", "one")
    port.client().add_log("r_1", "two", status_label="Held")

    assert port.bodies(f"POST {RUN_PATH}/logs") == [
        {"message": "one"},
        {"message": "two", "statusLabel": "Held"},
    ]


def test_log_is_sent_without_a_version(port: Port) -> None:
    port.script(f"POST {RUN_PATH}/logs", (201, {"ok": True, "runLog": {}}, {}))

    port.client().add_log("r_1", "one")

    assert port.requests[-1].query == ""


def test_entity_is_created_without_an_upsert(port: Port) -> None:
    port.script(f"POST {ENTITIES}", (201, {"entity": {"identifier": "shop"}}, {}))

    port.client().create_entity("service", {"identifier": "shop"})

    assert port.requests[-1].query == "upsert=false"


def test_run_of_an_unknown_status_is_read(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (200, {"run": {**RUN, "status": "PAUSED"}}, {}))

    run = port.client().get_run("r_1")

    assert (run.status, run.ended, run.status_is_known) == ("PAUSED", False, False)


def test_entity_of_an_ended_run_is_refused_with_the_error_code(port: Port) -> None:
    port.script(f"POST {ENTITIES}", (400, refusal("run_exhausted"), {}))

    with pytest.raises(PortError) as caught:
        port.client().create_entity("service", {"identifier": "shop"}, run_id="r_1")

    assert caught.value.code == "run_exhausted"


def test_missing_entity_is_read_as_none(port: Port) -> None:
    port.script(f"GET {ENTITIES}/shop", (404, refusal("not_found"), {}))

    assert port.client().get_entity("service", "shop") is None


def test_slash_in_an_identifier_is_escaped(port: Port) -> None:
    entity = {"identifier": "a/b ü", "blueprint": "service"}
    port.script(f"GET {ENTITIES}/a%2Fb%20%C3%BC", (200, {"entity": entity}, {}))

    found = port.client().get_entity("service", "a/b ü")

    assert found is not None
    assert found.identifier == "a/b ü"


def test_entity_is_upserted_without_the_run_when_it_has_ended(
    port: Port,
) -> None:
    entity = {"identifier": "shop"}
    port.script(
        f"POST {ENTITIES}", (400, refusal("run_exhausted"), {}), (200, {"entity": entity}, {})
    )

    port.client().upsert_entity("service", entity, run_id="r_1")

    queries = [r.query for r in port.requests if r.route != TOKEN]
    assert queries == ["upsert=true&merge=true&run_id=r_1", "upsert=true&merge=true"]


def test_existing_entity_is_refused_with_the_error_code(port: Port) -> None:
    port.script(f"POST {ENTITIES}", (409, refusal("identifier_taken"), {}))

    with pytest.raises(PortError) as caught:
        port.client().create_entity("service", {"identifier": "shop"}, run_id="r_1")

    assert caught.value.code == "identifier_taken"


def listed(*ids: str, **more: Any) -> Answer:
    runs = [{**RUN, "id": run_id} for run_id in ids]
    return 200, {"ok": True, "runs": runs, **more}, {}


def test_run_list_continues_after_an_empty_page(port: Port) -> None:
    port.script(
        "GET /v1/actions/runs",
        listed("r_1", next="a"),
        listed(next="b"),
        listed("r_2"),
    )

    runs = list(port.client().active_runs("create_service"))

    assert [run.id for run in runs] == ["r_1", "r_2"]
    common = "action=create_service&active=true&version=v2&limit=100"
    assert [request.query for request in port.requests if request.route != TOKEN] == [
        common,
        f"{common}&next=a",
        f"{common}&next=b",
    ]


def test_run_list_omits_runs_that_were_not_requested(port: Port) -> None:
    ended = {**RUN, "id": "r_2", "status": "SUCCESS"}
    foreign = {**RUN, "id": "r_3", "action": {"identifier": "another"}}
    answer = {"ok": True, "runs": [RUN, ended, foreign]}
    port.script("GET /v1/actions/runs", (200, answer, {}))

    assert [run.id for run in port.client().active_runs("create_service")] == ["r_1"]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"ok": True}, "lacks the list of runs"),
        ({"ok": True, "runs": [{"id": "r_1"}]}, "run.status"),
        ({"ok": True, "runs": [], "next": "a"}, "repeats its 'next'"),
    ],
)
def test_malformed_run_list_is_a_port_error(port: Port, answer: dict[str, Any], fault: str) -> None:
    port.script("GET /v1/actions/runs", (200, answer, {}))

    with pytest.raises(PortError, match=fault):
        list(port.client().active_runs("create_service"))


def test_deleting_a_missing_entity_succeeds(port: Port) -> None:
    port.script(f"DELETE {ENTITIES}/shop", (404, refusal("not_found"), {}))

    port.client().delete_entity("service", "shop")

    assert port.requests[-1].query == "delete_dependents=false"


def test_entity_with_dependents_is_refused_with_the_error_code(port: Port) -> None:
    port.script(f"DELETE {ENTITIES}/shop", (403, refusal("has_dependents"), {}))

    with pytest.raises(PortError) as caught:
        port.client().delete_entity("service", "shop")

    assert caught.value.code == "has_dependents"
