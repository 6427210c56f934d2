"""Test the stream of changes that the portal's pages listen to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from sandbox.tests.port.harness import CREATE_SERVICE

Json = dict[str, Any]


class _Stream:
    """Read a stream's events: (event, data, id)."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def next(self) -> tuple[str, Json, str]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and "event" in fields:
                return fields["event"], json.loads(fields["data"]), fields["id"]
            name, _, value = line.partition(": ")
            fields[name] = value
        raise AssertionError("The stream has ended.")


def _cookie(client: httpx.Client, email: str) -> dict[str, str]:
    credentials = {"clientId": email, "clientSecret": "sandbox"}
    answer = client.post("/v1/auth/access_token", json=credentials)
    return {"cookie": f"sandbox_port_token={answer.json()['accessToken']}"}


@contextmanager
def _open(
    client: httpx.Client, email: str = "developer@acme.example", last: str = "", **query: str
) -> Iterator[_Stream]:
    headers = {**_cookie(client, email), **({"last-event-id": last} if last else {})}
    url = "/_sandbox/portal/events"
    with client.stream("GET", url, headers=headers, params=query) as answer:
        assert answer.status_code == 200
        yield _Stream(answer.iter_lines())


def _add(client: httpx.Client, name: str) -> None:
    body = {"identifier": name, "properties": {"owner": "Dana"}}
    client.post("/v1/blueprints/service/entities", json=body).raise_for_status()


def _execute(client: httpx.Client, **query: str) -> str:
    body = {"properties": {"service_name": "a"}}
    answer = client.post("/v1/actions/create_service/runs", json=body, params=query)
    run_id: str = answer.json()["run"]["id"]
    return run_id


def _log(client: httpx.Client, run: str, text: str) -> None:
    client.post(f"/v1/actions/runs/{run}/logs", json={"message": text}).raise_for_status()


def test_change_is_sent_to_the_page(listening: httpx.Client) -> None:
    with _open(listening) as stream:
        assert stream.next()[0] == "ready"
        _add(listening, "a")

        event, data, _ = stream.next()

    assert event == "change"
    assert data == {
        "resource": "entity", "action": "CREATE", "blueprint": "service", "identifier": "a",
    }  # fmt: skip


def test_page_that_reconnects_gets_the_missed_changes(listening: httpx.Client) -> None:
    with _open(listening) as stream:
        _, _, last = stream.next()
    _add(listening, "a")
    _add(listening, "b")

    with _open(listening, last=last) as stream:
        assert stream.next()[0] == "ready"
        assert [stream.next()[1]["identifier"] for _ in range(2)] == ["a", "b"]


def test_page_gets_changes_from_before_it_connected(listening: httpx.Client) -> None:
    session = listening.get(
        "/_sandbox/portal/session", headers=_cookie(listening, "developer@acme.example")
    )
    _add(listening, "a")

    with _open(listening, after=session.json()["change"]) as stream:
        assert stream.next()[0] == "ready"
        assert stream.next()[1]["identifier"] == "a"


def test_page_that_reconnects_gets_changes_and_log_lines(listening: httpx.Client) -> None:
    with _open(listening) as stream:
        _, _, last = stream.next()
    _add(listening, "a")
    run = _execute(listening)
    _log(listening, run, "one")

    with _open(listening, run=run, after=last.partition(".")[0]) as stream:
        told = [stream.next() for _ in range(4)]

    assert [event for event, _, _ in told] == ["ready", "change", "change", "log"]
    assert [data.get("resource") for _, data, _ in told[1:3]] == ["entity", "run"]


def test_all_lines_of_the_watched_run_are_sent(listening: httpx.Client) -> None:
    run = _execute(listening)
    _log(listening, run, "one")

    with _open(listening, run=run) as stream:
        stream.next()
        assert stream.next()[1]["message"] == "one"
        _log(listening, run, "two\nlines")
        event, line, _ = stream.next()

    assert (event, line["message"]) == ("log", "two\nlines")


def test_page_gets_no_runs_that_the_person_may_not_see(listening: httpx.Client) -> None:
    private = {**CREATE_SERVICE, "allowAnyoneToViewRuns": False}
    listening.put("/v1/actions/create_service", json=private).raise_for_status()
    with (
        _open(listening, "developer@acme.example") as developer,
        _open(listening, "admin@acme.example") as admin,
    ):
        developer.next()
        admin.next()
        run = _execute(listening)
        _add(listening, "a")

        assert developer.next()[1]["resource"] == "entity"
        assert admin.next()[1] == {
            "resource": "run", "action": "CREATE", "blueprint": "service", "identifier": run,
        }  # fmt: skip


@pytest.mark.parametrize(("cookie", "run", "status"), [(False, "", 401), (True, "r_none", 404)])
def test_stream_is_refused_before_it_begins(
    listening: httpx.Client, cookie: bool, run: str, status: int
) -> None:
    headers = _cookie(listening, "developer@acme.example") if cookie else {}
    params = {"run": run} if run else {}
    answer = listening.get("/_sandbox/portal/events", headers=headers, params=params)

    assert answer.status_code == status
    assert answer.json()["ok"] is False
