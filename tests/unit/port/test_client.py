"""Port's API client, against a real HTTP server."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from slipway.config import PortCredentials
from slipway.errors import PortError, PortUnavailable, RunEnded, RunNotFound
from slipway.port.client import PortClient

from tests.scripted import NO_ANSWER, Answer, ScriptedServer

TOKEN = "POST /v1/auth/access_token"
RUN_PATH = "/v1/actions/runs/r_1"
RUN = {"id": "r_1", "status": "IN_PROGRESS", "action": {"identifier": "create_service"}}
SECRET = "the-client-secret-of-more-than-32-bytes"
ENTITIES = "/v1/blueprints/service/entities"


class Port(ScriptedServer):
    """Port with one run, and the client's idea of time."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.fresh: list[bool] = []
        self.issue("token-1")
        self.script(f"GET {RUN_PATH}", (200, {"ok": True, "run": RUN}, {}))

    def issue(self, *tokens: str, lifetime: float = 10_800) -> None:
        answers = [{"ok": True, "accessToken": token, "expiresIn": lifetime} for token in tokens]
        self.script(TOKEN, *((200, answer, {}) for answer in answers))

    def client(self, patience: float = 20.0) -> PortClient:
        def credentials(fresh: bool) -> PortCredentials:
            self.fresh.append(fresh)
            return PortCredentials.model_validate({"client_id": "id", "client_secret": SECRET})

        return PortClient(self.url, credentials, patience=patience, sleep=self.slept.append)

    def sent_tokens(self) -> list[str | None]:
        return [r.headers.get("Authorization") for r in self.requests if r.route != TOKEN]


@pytest.fixture
def port() -> Iterator[Port]:
    with Port().running() as server:
        yield server


def refusal(code: str, message: str = "No.") -> dict[str, Any]:
    return {"ok": False, "error": code, "message": message}


def test_given_two_calls_when_made_then_one_token_serves_both(port: Port) -> None:
    client = port.client()

    assert client.get_run("r_1").action == "create_service"
    client.get_run("r_1")

    assert port.routes().count(TOKEN) == 1
    assert port.sent_tokens() == ["Bearer token-1", "Bearer token-1"]
    assert port.bodies(TOKEN) == [{"clientId": "id", "clientSecret": SECRET}]
    assert {r.query for r in port.requests if r.route != TOKEN} == {"version=v2"}


def test_given_a_token_near_its_end_when_used_then_it_is_renewed_before(port: Port) -> None:
    port.issue("token-1", "token-2", lifetime=59)
    client = port.client()

    client.get_run("r_1")
    client.get_run("r_1")

    assert port.sent_tokens() == ["Bearer token-1", "Bearer token-2"]


def test_given_a_refused_token_when_called_then_renewed_once_with_fresh_credentials(
    port: Port,
) -> None:
    port.issue("token-1", "token-2")
    port.script(f"GET {RUN_PATH}", (401, refusal("unauthorized"), {}), (200, {"run": RUN}, {}))

    port.client().get_run("r_1")

    assert port.sent_tokens() == ["Bearer token-1", "Bearer token-2"]
    assert port.fresh == [False, True]


def test_given_credentials_that_stay_refused_when_called_then_it_is_an_error(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (401, refusal("unauthorized"), {}))

    with pytest.raises(PortError) as caught:
        port.client().get_run("r_1")

    assert caught.value.status == 401
    assert port.routes().count(f"GET {RUN_PATH}") == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, NO_ANSWER])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_given_a_passing_failure_when_called_then_repeated_whatever_the_method(
    port: Port, method: str, status: int
) -> None:
    port.script(f"{method} /v1/x", (status, {}, {}), (200, {"ok": True}, {}))

    assert port.client().request(method, "/v1/x") == {"ok": True}
    assert len(port.slept) == 1


def test_given_a_failure_that_stays_when_called_then_waits_double_until_patience_ends(
    port: Port,
) -> None:
    port.script(f"GET {RUN_PATH}", (503, {}, {}))

    with pytest.raises(PortUnavailable):
        port.client(patience=3.5).get_run("r_1")

    assert port.slept == [0.5, 1.0, 2.0]


def in_seconds(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "headers",
    [
        lambda: {"Retry-After": "300"},
        lambda: {"Retry-After": format_datetime(in_seconds(300), usegmt=True)},
        lambda: {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "300"},
        lambda: {
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(int(in_seconds(300).timestamp())),
        },
    ],
    ids=["seconds", "date", "reset in seconds", "reset as a time"],
)
def test_given_a_named_wait_when_throttled_then_it_is_kept(
    port: Port, headers: Callable[[], dict[str, str]]
) -> None:
    port.script(f"GET {RUN_PATH}", (429, {}, headers()), (200, {"run": RUN}, {}))

    port.client(patience=400).get_run("r_1")

    assert len(port.slept) == 1
    assert 200 < port.slept[0] <= 300


def test_given_a_wait_longer_than_patience_when_throttled_then_not_waited_but_named(
    port: Port,
) -> None:
    port.script(f"GET {RUN_PATH}", (429, {}, {"Retry-After": "600"}))

    with pytest.raises(PortUnavailable) as caught:
        port.client().get_run("r_1")

    assert port.slept == []
    assert caught.value.retry_at is not None
    until = caught.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=500) < until <= timedelta(seconds=600)


def test_given_a_refusal_when_called_then_code_message_and_ports_trace_are_told(
    port: Port,
) -> None:
    port.script("GET /v1/x", (422, refusal("invalid_request", "Bad."), {"X-Trace-Id": "t-1"}))

    with pytest.raises(PortError) as caught:
        port.client().request("GET", "/v1/x")

    assert (caught.value.status, caught.value.code) == (422, "invalid_request")
    assert "Port answered 422 invalid_request to GET /v1/x: Bad. (Port's trace t-1)" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("status", "answer", "headers"),
    [
        (200, b"<html>proxy</html>", {}),
        (200, ["a", "list"], {}),
        (200, {"ok": False, "error": "odd"}, {}),
        (302, {}, {"Location": "https://elsewhere.example/"}),
    ],
    ids=["not JSON", "a list", "ok is false", "redirect"],
)
def test_given_an_answer_that_is_not_ports_when_called_then_it_is_an_error(
    port: Port, status: int, answer: object, headers: dict[str, str]
) -> None:
    port.script("GET /v1/x", (status, answer, headers))

    with pytest.raises(PortError):
        port.client().request("GET", "/v1/x")


def test_given_any_error_when_told_then_neither_secret_nor_token_is_in_it(port: Port) -> None:
    port.issue("token-that-must-not-be-told")
    errors: list[Exception] = []
    answers: list[Answer] = [(500, {}, {}), (403, refusal("forbidden"), {}), (NO_ANSWER, None, {})]
    for answer in answers:
        port.script(f"GET {RUN_PATH}", answer)
        with pytest.raises((PortError, PortUnavailable)) as caught:
            port.client(patience=0).get_run("r_1")
        errors.append(caught.value)

    text = "".join(f"{error!r} {error.__cause__!r}" for error in errors)
    assert SECRET not in text
    assert "token-that-must-not-be-told" not in text


def test_given_an_unknown_run_when_read_then_not_found(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (404, refusal("not_found"), {}))

    with pytest.raises(RunNotFound):
        port.client().get_run("r_1")


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "DECLINED"])
def test_given_a_terminal_status_when_read_then_the_run_has_ended(port: Port, status: str) -> None:
    port.script(f"GET {RUN_PATH}", (200, {"run": {**RUN, "status": status}}, {}))

    assert port.client().get_run("r_1").ended


@pytest.mark.parametrize("link", [None, "https://x", ["https://x"], []])
def test_given_links_in_any_of_ports_shapes_when_read_then_they_are_a_list(
    port: Port, link: object
) -> None:
    port.script(f"GET {RUN_PATH}", (200, {"run": {**RUN, "link": link}}, {}))

    assert port.client().get_run("r_1").link in ([], ["https://x"])


def test_given_an_ended_run_when_written_then_said_so(port: Port) -> None:
    port.script(f"POST {RUN_PATH}/logs", (422, refusal("run_exhausted"), {}))
    port.script(f"PATCH {RUN_PATH}", (422, refusal("run_exhausted"), {}))

    with pytest.raises(RunEnded):
        port.client().add_log("r_1", "text")
    with pytest.raises(RunEnded):
        port.client().update_run("r_1", status="SUCCESS")


def test_given_some_fields_when_the_run_is_updated_then_only_those_are_sent(port: Port) -> None:
    port.script(f"PATCH {RUN_PATH}", (200, {"ok": True}, {}))

    port.client().update_run("r_1", status_label="Waiting", link=["https://x"])

    assert port.bodies(f"PATCH {RUN_PATH}") == [{"statusLabel": "Waiting", "link": ["https://x"]}]


def test_given_no_entity_when_read_then_none(port: Port) -> None:
    port.script(f"GET {ENTITIES}/shop", (404, refusal("not_found"), {}))

    assert port.client().get_entity("service", "shop") is None


def test_given_an_identifier_with_a_slash_when_read_then_it_stays_one_part(port: Port) -> None:
    entity = {"identifier": "a/b ü", "blueprint": "service"}
    port.script(f"GET {ENTITIES}/a%2Fb%20%C3%BC", (200, {"entity": entity}, {}))

    found = port.client().get_entity("service", "a/b ü")

    assert found is not None
    assert found.identifier == "a/b ü"


def test_given_an_ended_run_when_an_entity_is_upserted_then_written_without_the_run(
    port: Port,
) -> None:
    entity = {"identifier": "shop"}
    port.script(
        f"POST {ENTITIES}", (400, refusal("run_exhausted"), {}), (200, {"entity": entity}, {})
    )

    port.client().upsert_entity("service", entity, run_id="r_1")

    queries = [r.query for r in port.requests if r.route != TOKEN]
    assert queries == ["upsert=true&merge=true&run_id=r_1", "upsert=true&merge=true"]


def test_given_an_entity_that_exists_when_created_then_the_code_says_so(port: Port) -> None:
    port.script(f"POST {ENTITIES}", (409, refusal("identifier_taken"), {}))

    with pytest.raises(PortError) as caught:
        port.client().create_entity("service", {"identifier": "shop"}, run_id="r_1")

    assert caught.value.code == "identifier_taken"
