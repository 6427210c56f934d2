"""Who uses the portal."""

from typing import Any

import httpx

from sandbox.tests.port.harness import Port

Json = dict[str, Any]
_SESSION = "/_sandbox/portal/session"


def _keep(port: Port) -> httpx.Response:
    return port.http.request("PUT", _SESSION, headers=port.headers)


def _session(port: Port, token: str) -> Json:
    headers = {"cookie": f"sandbox_port_token={token}"}
    found: Json = port.http.request("GET", _SESSION, headers=headers).json()
    return found


def _token(port: Port) -> str:
    return port.headers["Authorization"].removeprefix("Bearer ")


def test_the_people_are_listed_without_a_token(port: Port) -> None:
    people = port.http.request("GET", "/_sandbox/portal/people").json()["people"]

    assert [one["email"] for one in people] == [
        "admin@acme.example", "developer@acme.example", "devops@acme.example",
    ]  # fmt: skip
    assert people[1]["teams"] == ["payments"]


def test_a_person_is_kept_in_a_cookie_that_no_script_reads(port: Port) -> None:
    cookie = _keep(port.sign_in("developer@acme.example")).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/_sandbox/portal" in cookie


def test_the_cookie_gives_the_person_and_the_token(port: Port) -> None:
    token = _token(port.sign_in("developer@acme.example"))

    session = _session(port, token)

    assert session["accessToken"] == token
    assert session["user"]["email"] == "developer@acme.example"
    assert session["user"]["roles"] == ["Member"]
    assert session["user"]["id"].startswith("auth0|")


def test_an_expired_or_forged_cookie_is_nobody(port: Port) -> None:
    token = _token(port.sign_in("developer@acme.example"))
    port.http.request("POST", "/_sandbox/expire-tokens")

    nobody = {"ok": True, "accessToken": None, "user": None}
    assert _session(port, token) == nobody
    assert _session(port, "x.y.z") == nobody
    assert port.http.request("GET", _SESSION).json() == nobody


def test_machine_credentials_are_no_person(port: Port) -> None:
    assert _keep(port).status_code == 403
    assert _session(port, _token(port))["user"] is None


def test_signing_out_takes_the_cookie_away(port: Port) -> None:
    cookie = port.http.request("DELETE", _SESSION).headers["set-cookie"]

    assert "Max-Age=0" in cookie
