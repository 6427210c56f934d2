"""`POST /reports`: what it accepts, and what it answers."""

import base64
import io
import json
from typing import Any

import pytest
from slipway.observability import logger

from tests.unit.reports.github import AUDIENCE, HOME, KEYS
from tests.unit.reports.installation import PULL, RUN, Installation

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]


def test_report_workflow_request_is_accepted(installation: Installation) -> None:
    status, body = installation.ask(installation.github.token())

    assert (status, body["status"]) == (200, "FAILURE")
    (update,) = installation.port.bodies(f"PATCH {RUN}")
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Closed")
    assert body["message"] == update["summary"]


def test_dispatched_workflow_request_is_accepted(installation: Installation) -> None:
    token = installation.github.token(event_name="workflow_dispatch")

    assert installation.ask(token)[0] == 200


@pytest.mark.parametrize("sent", [{"pull_request": "7"}, {"pull_request": 7, "more": "x" * 50}])
def test_number_is_accepted_as_text(installation: Installation, sent: Any) -> None:
    assert installation.ask(installation.github.token(), sent)[0] == 200


def test_base64_body_is_read(installation: Installation) -> None:
    body = base64.b64encode(json.dumps({"pull_request": 7}).encode()).decode()

    assert installation.ask(installation.github.token(), body, isBase64Encoded=True)[0] == 200


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION"])
def test_header_names_are_case_insensitive(installation: Installation, name: str) -> None:
    headers = {name: f"bearer {installation.github.token()}"}

    assert installation.ask(None, headers=headers)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "7",
        "[7]",
        "{",
        "null",
        "[" * 500,
        '{"pull_request": "7; touch x"}',
        '{"pull_request": "../7"}',
        '{"pull_request": -7}',
        '{"pull_request": 7.5}',
        '{"pull_request": true}',
        '{"pull_request": 0}',
        '{"pull_request": 12345678901}',
        json.dumps({"pull_request": 7, "more": "x" * 2000}),
    ],
)
def test_body_without_a_number_is_refused(installation: Installation, body: str) -> None:
    status, said = installation.ask(installation.github.token(), body)

    assert (status, said["error"]) == (400, "InvalidInput")
    assert PULL not in installation.github.routes()


def test_foreign_pull_request_is_a_conflict(installation: Installation) -> None:
    installation.pull(state="open")

    status, said = installation.ask(installation.github.token())

    assert (status, said["error"]) == (409, "NothingToReport")


def test_node_run_pull_request_is_left_to_the_sweep(installation: Installation) -> None:
    head = {"ref": "slipway/upscale_service/wfnr_0123456789abcdef", "repo": {"id": 4711}}
    installation.pull(head=head)

    assert installation.ask(installation.github.token())[0] == 200

    assert installation.port.routes() == []


@pytest.mark.parametrize("route", [KEYS, HOME, PULL])
def test_github_outage_returns_a_retryable_status(installation: Installation, route: str) -> None:
    installation.github.script(route, (503, {"message": "down"}, {"Retry-After": "120"}))

    status, said = installation.ask(installation.github.token())

    assert (status, said["error"]) == (503, "Unavailable")
    assert installation.writes() == []


def test_answer_has_no_details_of_the_outage(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.github.retry.time.sleep", lambda _: None)
    installation.github.script(PULL, (503, {"message": "internal.host is down"}, {}))

    _, said = installation.ask(installation.github.token())

    assert "internal.host" not in json.dumps(said)


def test_token_is_not_logged(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", out)
    good, bad = installation.github.token(), installation.github.token(aud="https://x.test")

    installation.ask(good)
    installation.ask(bad)

    assert "A report was refused" in out.getvalue()
    for token in (good, bad):
        for part in token.split("."):
            assert part not in out.getvalue()


def test_keys_and_repository_are_read_once(installation: Installation) -> None:
    for _ in range(3):
        installation.ask(installation.github.token())

    assert installation.github.asked(KEYS) == 1
    assert installation.github.asked(HOME) == 1


def test_audience_is_that_of_this_installation(installation: Installation) -> None:
    assert installation.ask(installation.github.token(aud=AUDIENCE))[0] == 200
    assert installation.ask(installation.github.token(aud=[AUDIENCE]))[0] == 401
