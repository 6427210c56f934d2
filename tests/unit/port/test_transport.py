"""Sign-in, retries and errors of requests to Port, on a real HTTP server."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from slipway.config import PortCredentials
from slipway.errors import PortError, PortUnavailable
from slipway.port.client import PortClient

from tests.scripted import NO_ANSWER, Answer, ScriptedServer
from tests.unit.port.conftest import RUN, RUN_PATH, SECRET, TOKEN, Port, refusal

pytestmark = pytest.mark.waits

ENTITIES = "/v1/blueprints/service/entities"


def test_one_token_serves_two_calls(port: Port) -> None:
    client = port.client()

    assert client.get_run("r_1").action == "create_service"
    client.get_run("r_1")

    assert port.routes().count(TOKEN) == 1
    assert port.sent_tokens() == ["Bearer token-1", "Bearer token-1"]
    assert port.bodies(TOKEN) == [{"clientId": "id", "clientSecret": SECRET}]
    assert {r.query for r in port.requests if r.route != TOKEN} == {"version=v2"}


@pytest.mark.parametrize(
    ("lifetime", "jitter", "later", "renewed"),
    [
        (10_800, 1, 10_499, False),
        (10_800, 1, 10_501, True),
        (10_800, 0.5, 10_601, False),
        (10_800, 0.5, 10_651, True),
        (10_800, 0, 10_799, False),
        # Near its expiry Port returns the same token, so the client does not renew it on each call.
        (59, 1, 29, False),
        (59, 1, 30, True),
        (59, 0, 60, True),
    ],
)
def test_token_is_renewed_at_a_jittered_time(
    port: Port, lifetime: float, jitter: float, later: float, renewed: bool
) -> None:
    port.issue("token-1", "token-2", lifetime=lifetime)
    port.jitter = jitter
    client = port.client()
    client.get_run("r_1")
    port.slept.append(later)

    client.get_run("r_1")

    assert port.sent_tokens()[-1] == f"Bearer token-{2 if renewed else 1}"


@pytest.mark.parametrize(("jitter", "waited"), [(0, 2), (0.5, 7), (1, 12)])
def test_token_requests_are_spread_after_a_429(port: Port, jitter: float, waited: float) -> None:
    token = {"ok": True, "accessToken": "token-1", "expiresIn": 10_800}
    port.script(TOKEN, (429, {}, {"Retry-After": "2"}), (200, token, {}))
    port.jitter = jitter

    port.client().get_run("r_1")

    assert port.slept == [pytest.approx(waited, abs=1)]


@pytest.mark.parametrize(("jitter", "waited"), [(0, [0.5, 1]), (1, [1, 2])])
def test_repeated_token_requests_are_jittered(
    port: Port, jitter: float, waited: list[float]
) -> None:
    token = {"ok": True, "accessToken": "token-1", "expiresIn": 10_800}
    port.script(TOKEN, (503, {}, {}), (503, {}, {}), (200, token, {}))
    port.jitter = jitter

    port.client().get_run("r_1")

    assert port.slept == waited


def test_later_token_request_is_jittered(port: Port) -> None:
    port.script(TOKEN, (429, {}, {"Retry-After": "600"}))
    port.jitter = 1

    with pytest.raises(PortUnavailable) as caught:
        port.client().get_run("r_1")

    assert caught.value.retry_at is not None
    assert in_seconds(605) < caught.value.retry_at <= in_seconds(610)


def test_other_requests_are_not_jittered(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (503, {}, {}), (200, {"run": RUN}, {}))
    port.jitter = 1

    port.client().get_run("r_1")

    assert port.slept == [0.5]


def test_refused_token_is_renewed_once_with_fresh_credentials(
    port: Port,
) -> None:
    port.issue("token-1", "token-2")
    port.script(f"GET {RUN_PATH}", (401, refusal("unauthorized"), {}), (200, {"run": RUN}, {}))

    port.client().get_run("r_1")

    assert port.sent_tokens() == ["Bearer token-1", "Bearer token-2"]
    assert port.fresh == [False, True]


def test_rotated_credentials_are_read_again_at_sign_in(
    port: Port,
) -> None:
    token = {"ok": True, "accessToken": "token-1", "expiresIn": 10_800}
    port.script(TOKEN, (401, refusal("unauthorized"), {}), (200, token, {}))

    assert port.client().get_run("r_1").id == "r_1"
    assert port.fresh == [False, True]


def test_invalid_credentials_are_refused_after_the_second_try(
    port: Port,
) -> None:
    port.script(TOKEN, (401, refusal("unauthorized"), {}))

    with pytest.raises(PortError, match="401"):
        port.client().get_run("r_1")

    assert port.routes() == [TOKEN, TOKEN]


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True},
        {"accessToken": None, "expiresIn": 1},
        {"accessToken": "t", "expiresIn": None},
        {"accessToken": "t", "expiresIn": "soon"},
    ],
)
def test_sign_in_without_a_usable_token_is_a_port_error(port: Port, answer: dict[str, Any]) -> None:
    port.script(TOKEN, (200, answer, {}))

    with pytest.raises(PortError, match="accessToken"):
        port.client().get_run("r_1")


def test_repeatedly_refused_token_is_a_port_error(port: Port) -> None:
    port.script(f"GET {RUN_PATH}", (401, refusal("unauthorized"), {}))

    with pytest.raises(PortError) as caught:
        port.client().get_run("r_1")

    assert caught.value.status == 401
    assert port.routes().count(f"GET {RUN_PATH}") == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, NO_ANSWER])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_transient_failure_is_retried_for_every_method(
    port: Port, method: str, status: int
) -> None:
    port.script(f"{method} /v1/x", (status, {}, {}), (200, {"ok": True}, {}))

    assert port.client().request(method, "/v1/x") == {"ok": True}
    assert len(port.slept) == 1


def test_retry_delay_doubles_until_the_retry_budget_is_used(
    port: Port,
) -> None:
    port.script(f"GET {RUN_PATH}", (503, {}, {}))

    with pytest.raises(PortUnavailable):
        port.client(retry_budget=3.5).get_run("r_1")

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
        lambda: {"x-ratelimit-reset": "300"},
        lambda: {"x-ratelimit-remaining": "17", "x-ratelimit-reset": "300"},
        lambda: {"Retry-After": "soon", "x-ratelimit-reset": "300"},
        lambda: {"Retry-After": "300", "x-ratelimit-reset": "1"},
    ],
    ids=[
        "seconds",
        "date",
        "reset in seconds",
        "reset as a time",
        "reset without remaining",
        "reset with some remaining",
        "reset for an unreadable Retry-After",
        "Retry-After before reset",
    ],
)
def test_throttled_call_waits_for_ports_retry_time(
    port: Port, headers: Callable[[], dict[str, str]]
) -> None:
    port.script(f"GET {RUN_PATH}", (429, {}, headers()), (200, {"run": RUN}, {}))

    port.client(retry_budget=400).get_run("r_1")

    assert len(port.slept) == 1
    assert 200 < port.slept[0] <= 300


def test_rate_limit_reset_is_ignored_when_requests_remain(
    port: Port,
) -> None:
    limits = {"x-ratelimit-remaining": "17", "x-ratelimit-reset": "300"}
    port.script(f"GET {RUN_PATH}", (503, {}, limits), (200, {"run": RUN}, {}))

    port.client(retry_budget=400).get_run("r_1")

    assert port.slept == [0.5]


@pytest.mark.parametrize(
    "retry_time",
    [
        "",
        "-5",
        "1.5",
        "²",
        "9" * 5000,
        "soon",
        "Mon, 99 Foo 2026",
        "Fri, 31 Dec 9999 23:59:59 -1200",
    ],
)
def test_unreadable_retry_time_is_replaced_by_the_default(port: Port, retry_time: str) -> None:
    headers = {"Retry-After": retry_time, "x-ratelimit-reset": retry_time}
    port.script(f"GET {RUN_PATH}", (429, {}, headers), (200, {"run": RUN}, {}))

    port.client().get_run("r_1")

    assert port.slept == [0.5]


@pytest.mark.parametrize("retry_time", ["0", "Sun, 23 Nov 2025 10:00:00 GMT"])
def test_elapsed_retry_time_still_pauses(port: Port, retry_time: str) -> None:
    port.script(
        f"GET {RUN_PATH}",
        (429, {}, {"Retry-After": retry_time}),
        (429, {}, {"Retry-After": retry_time}),
        (200, {"run": RUN}, {}),
    )

    port.client().get_run("r_1")

    assert port.slept == [0.5, 0.5]


@pytest.mark.parametrize("retry_time", ["9999999", "99999999999999"])
def test_retry_time_in_years_is_limited_to_a_day(port: Port, retry_time: str) -> None:
    port.script(f"GET {RUN_PATH}", (429, {}, {"x-ratelimit-reset": retry_time}))

    with pytest.raises(PortUnavailable) as caught:
        port.client().get_run("r_1")

    assert caught.value.retry_at is not None
    assert in_seconds(86_000) < caught.value.retry_at <= in_seconds(86_400)


def test_connection_broken_within_the_answer_is_retried(
    port: Port,
) -> None:
    broken = {"Transfer-Encoding": "chunked"}  # The body is not a chunk.
    port.script(f"GET {RUN_PATH}", (200, {"run": RUN}, broken), (200, {"run": RUN}, {}))

    assert port.client().get_run("r_1").id == "r_1"
    assert len(port.slept) == 1


def test_timeouts_stay_within_the_retry_budget(port: Port) -> None:
    asked: list[Any] = []

    class Session(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            asked.append(kwargs["timeout"])
            raise requests.ReadTimeout

    client = PortClient(
        port.url,
        lambda _: PortCredentials.model_validate({"client_id": "id", "client_secret": SECRET}),
        retry_budget=2.0,
        session=Session(),
        sleep=port.slept.append,
    )

    with pytest.raises(PortUnavailable, match="could not be reached for POST.*ReadTimeout"):
        client.get_run("r_1")
    assert all(0 < connect <= 2 and 0 < read <= 2 for connect, read in asked)
    assert sum(port.slept) <= 2


def test_refused_connection_is_unavailable_without_a_retry_time() -> None:
    with ScriptedServer().running() as gone:
        url = gone.url
    client = PortClient(
        url,
        lambda _: PortCredentials.model_validate({"client_id": "id", "client_secret": SECRET}),
        retry_budget=0,
    )

    with pytest.raises(PortUnavailable) as caught:
        client.get_run("r_1")

    assert caught.value.retry_at is None


def test_wait_beyond_the_retry_budget_is_returned_as_retry_time(
    port: Port,
) -> None:
    port.script(f"GET {RUN_PATH}", (429, {}, {"Retry-After": "600"}))

    with pytest.raises(PortUnavailable) as caught:
        port.client().get_run("r_1")

    assert port.slept == []
    assert caught.value.retry_at is not None
    until = caught.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=500) < until <= timedelta(seconds=600)


def test_port_error_has_the_code_message_and_trace(
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
        (200, {"ok": False, "error": "odd"}, {}),
        (302, {}, {"Location": "https://elsewhere.example/"}),
        (307, {"ok": True}, {"Location": "/v1/y"}),
        (418, b"<html>teapot</html>", {}),
    ],
    ids=[
        "ok is false",
        "redirect",
        "redirect of the method",
        "refused without JSON",
    ],
)
def test_unusual_refusal_is_an_error_at_once(
    port: Port, status: int, answer: object, headers: dict[str, str]
) -> None:
    port.script("GET /v1/x", (status, answer, headers))

    with pytest.raises(PortError) as caught:
        port.client().request("GET", "/v1/x")

    assert caught.value.status == status
    assert port.routes().count("GET /v1/x") == 1


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({}, "run"),
        ({"run": []}, "run"),
        ({"run": {**RUN, "status": ["typed-by-a-person"]}}, "run.status"),
        ({"run": {**RUN, "properties": "typed-by-a-person"}}, "run.properties"),
    ],
)
def test_malformed_run_error_names_the_field_without_its_value(
    port: Port, answer: dict[str, Any], field: str
) -> None:
    port.script(f"GET {RUN_PATH}", (200, answer, {}))

    with pytest.raises(PortError, match=f"'{field}'") as caught:
        port.client().get_run("r_1")

    assert "typed-by-a-person" not in "".join(traceback.format_exception(caught.value))


def test_malformed_entity_is_a_port_error(port: Port) -> None:
    port.script(f"GET {ENTITIES}/shop", (200, {"entity": {"title": "no identifier"}}, {}))

    with pytest.raises(PortError, match=r"'entity\.identifier'"):
        port.client().get_entity("service", "shop")


@pytest.mark.parametrize("status", [403, 503])
def test_error_masks_a_token_that_port_quotes(port: Port, status: int) -> None:
    port.issue("token-that-must-not-be-shown")
    said = refusal("odd", "Bad token 'token-that-must-not-be-shown'.")
    port.script(f"GET {RUN_PATH}", (status, said, {}))

    with pytest.raises((PortError, PortUnavailable), match=r"Bad token '\*\*\*\*\*'"):
        port.client(retry_budget=0).get_run("r_1")


def test_errors_contain_neither_secret_nor_token(port: Port) -> None:
    port.issue("token-that-must-not-be-shown")
    errors: list[Exception] = []
    answers: list[Answer] = [(500, {}, {}), (403, refusal("forbidden"), {}), (NO_ANSWER, None, {})]
    for answer in answers:
        port.script(f"GET {RUN_PATH}", answer)
        with pytest.raises((PortError, PortUnavailable)) as caught:
            port.client(retry_budget=0).get_run("r_1")
        errors.append(caught.value)

    text = "".join("".join(traceback.format_exception(error)) for error in errors)
    assert SECRET not in text
    assert "token-that-must-not-be-shown" not in text
