import jwt
import pytest

from sandbox.tests.port.harness import CLIENT_ID, CLIENT_SECRET, Port, Start

CREDENTIALS = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}


def test_a_second_request_gives_the_same_token_with_less_time(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    port = start()
    first = port.call("POST", "/auth/access_token", CREDENTIALS)
    now += 100
    second = port.call("POST", "/auth/access_token", CREDENTIALS)
    assert first["expiresIn"] == 10_800
    assert second == {**first, "expiresIn": 10_700}
    assert first["tokenType"] == "Bearer"


def test_an_expired_token_is_refused_and_replaced(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = start()
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    fresh = port.call("POST", "/auth/access_token", CREDENTIALS)
    assert fresh["accessToken"] != port.headers["Authorization"].removeprefix("Bearer ")
    assert port.refused("GET", "/blueprints") == (401, "invalid_token")


def test_the_token_is_a_jwt_that_says_whose_it_is(port: Port) -> None:
    token = port.headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["orgId"], claims["isMachine"], claims["personalToken"]) == (
        "org_sandbox",
        True,
        False,
    )


def test_the_token_is_accepted_without_bearer(port: Port) -> None:
    port.headers["Authorization"] = port.headers["Authorization"].removeprefix("Bearer ")
    port.call("GET", "/blueprints")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nonsense"}])
def test_without_a_valid_token_the_answer_is_401(port: Port, header: dict[str, str]) -> None:
    port.headers = header
    status, _ = port.refused("GET", "/blueprints")
    assert status == 401


@pytest.mark.parametrize(
    "credentials",
    [
        {**CREDENTIALS, "clientSecret": "wrong"},
        {**CREDENTIALS, "clientId": "wrong"},
        {"clientId": "developer@acme.example", "clientSecret": CLIENT_SECRET},
    ],
)
def test_wrong_credentials_are_refused(port: Port, credentials: dict[str, str]) -> None:
    assert port.refused("POST", "/auth/access_token", credentials)[0] == 401


def test_credentials_with_an_unknown_field_are_invalid(port: Port) -> None:
    body = {**CREDENTIALS, "scope": "all"}
    assert port.refused("POST", "/auth/access_token", body) == (422, "invalid_request")


def test_expired_tokens_can_be_had_on_demand(port: Port) -> None:
    port.http.request("POST", "/_sandbox/expire-tokens")
    assert port.refused("GET", "/blueprints") == (401, "invalid_token")
    port.sign_in(CLIENT_ID, CLIENT_SECRET).call("GET", "/blueprints")


def test_a_token_survives_a_restart(start: Start) -> None:
    before = start()
    start.stop()
    after = start()
    after.headers = before.headers
    after.call("GET", "/blueprints")


def test_further_credentials_have_a_name_of_their_own(start: Start) -> None:
    port = start(extra_clients={"cluster": "cluster-secret"})
    cluster = port.sign_in("cluster", "cluster-secret")
    blueprint = {"identifier": "x", "title": "X", "schema": {"properties": {}}}
    made = cluster.call("POST", "/blueprints", blueprint, 201)["blueprint"]
    assert made["createdBy"] == "cluster"


def test_a_member_may_not_change_the_catalogue(port: Port) -> None:
    member = port.sign_in("developer@acme.example")
    body = {"identifier": "x", "title": "X", "schema": {"properties": {}}}
    assert member.refused("POST", "/blueprints", body) == (403, "missing_permissions")


def test_a_short_client_secret_is_refused_at_the_start(start: Start) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        start(client_secret="short")
