import time
from typing import Any

import pytest

from sandbox.tests.port.harness import CLIENT_ID, Port, Start, add_service


def fault(port: Port, **body: Any) -> None:
    answer = port.http.request("POST", "/_sandbox/faults", json=body)
    assert answer.status_code == 201, answer.text


def test_every_answer_has_a_trace_id(port: Port) -> None:
    answers = [
        port.http.request("GET", "/v1/blueprints", headers=port.headers),
        port.http.request("GET", "/v1/blueprints"),
        port.http.request("GET", "/v1/nowhere"),
    ]
    assert len({answer.headers["X-Trace-Id"] for answer in answers}) == 3


@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/v1/auth/access_token"])
def test_unknown_path_is_not_a_missing_object(port: Port, path: str) -> None:
    answer = port.http.request("POST", path, headers=port.headers)

    assert answer.status_code == 404
    assert answer.json()["error"] != "not_found"
    assert "ok" not in answer.json()


@pytest.mark.parametrize("status", [200, 404, 502])
def test_html_fault_answers_with_a_page(port: Port, status: int) -> None:
    page = "<!doctype html><p>This page is not Port's.</p>"
    fault(port, status=status, body=page, headers={"Content-Type": "text/html"})

    answer = port.http.request("GET", "/v1/blueprints", headers=port.headers)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text == page


def test_a_body_over_one_mebibyte_is_refused(catalogue: Port) -> None:
    body = {"identifier": "a", "properties": {"owner": "x" * 1024 * 1024}}
    assert catalogue.refused("POST", "/blueprints/service/entities", body) == (413, "bad_request")


def test_a_body_that_is_not_json_is_a_bad_request(catalogue: Port) -> None:
    headers = {**catalogue.headers, "Content-Type": "application/json"}
    answer = catalogue.http.request("POST", "/v1/blueprints", content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


def test_answers_tell_the_rate_limit(port: Port) -> None:
    answer = port.http.request("GET", "/v1/blueprints", headers=port.headers)
    found = {key: int(answer.headers[f"x-ratelimit-{key}"]) for key in ("period", "limit", "reset")}
    assert found == {"period": 300, "limit": 15_000, "reset": pytest.approx(300, abs=2)}
    assert int(answer.headers["x-ratelimit-remaining"]) == 14_999


def test_over_the_rate_limit_the_answer_is_429(start: Start) -> None:
    port = start(rate_limit=2)
    statuses = [
        port.http.request("GET", "/v1/blueprints", headers=port.headers).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 429]


def test_the_entities_api_has_a_limit_of_its_own(start: Start) -> None:
    port = start(rate_limit=2, entities_rate_limit=5)
    answer = port.http.request("GET", "/v1/blueprints/_user/entities", headers=port.headers)
    assert answer.headers["x-ratelimit-limit"] == "5"


def test_a_fault_holds_for_the_wanted_number_of_requests(port: Port) -> None:
    fault(port, path="/blueprints$", times=2, skip=1, status=502)
    statuses = [
        port.http.request("GET", "/v1/blueprints", headers=port.headers).status_code
        for _ in range(5)
    ]
    assert statuses == [200, 502, 502, 200, 200]


def test_a_fault_sets_headers_and_leaves_other_requests_alone(port: Port) -> None:
    fault(port, method="GET", path="/blueprints$", status=429, headers={"Retry-After": "7"})
    port.call("GET", "/organization")
    answer = port.http.request("GET", "/v1/blueprints", headers=port.headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_a_fault_can_lose_the_answer_of_what_was_carried_out(catalogue: Port) -> None:
    fault(catalogue, method="POST", path="/entities", status=504, when="after")
    body = {"identifier": "a", "properties": {"owner": "Dana"}}
    assert catalogue.refused("POST", "/blueprints/service/entities", body)[0] == 504
    catalogue.call("GET", "/blueprints/service/entities/a")


def test_a_fault_can_delay(port: Port) -> None:
    fault(port, path="/blueprints$", delay_seconds=0.2)
    began = time.monotonic()
    port.call("GET", "/blueprints")
    assert time.monotonic() - began >= 0.2


def test_faults_can_be_listed_and_taken_back(port: Port) -> None:
    fault(port, status=500)
    assert len(port.http.request("GET", "/_sandbox/faults").json()["pending"]) == 1
    port.http.request("DELETE", "/_sandbox/faults")
    port.call("GET", "/blueprints")


def test_an_unexpected_error_is_a_500_in_ports_shape(
    catalogue: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("sandbox.port.blueprints.view", fail)
    assert catalogue.refused("GET", "/blueprints") == (500, "internal_error")


def test_what_fails_half_way_leaves_nothing_behind(
    catalogue: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("sandbox.port.publication.messages.change_log", fail)
    body = {"identifier": "a", "properties": {"owner": "Dana"}}
    catalogue.refused("POST", "/blueprints/service/entities", body)
    monkeypatch.undo()
    assert catalogue.refused("GET", "/blueprints/service/entities/a") == (404, "not_found")
    add_service(catalogue, "a")


def test_health_and_root_need_no_token(port: Port) -> None:
    assert port.http.request("GET", "/_sandbox/health").json() == {"ok": True, "unsent": 0}
    assert port.http.request("GET", "/").json()["organization"] == "org_sandbox"


def test_api_requests_are_recorded_until_cleared(port: Port) -> None:
    port.http.request("DELETE", "/_sandbox/requests")
    port.http.request("GET", "/v1/blueprints")
    port.http.request("GET", "/v1/blueprints", headers=port.headers)

    seen = port.http.request("GET", "/_sandbox/requests").json()

    request = {"method": "GET", "path": "/v1/blueprints"}
    assert seen == [
        {**request, "actor": "", "status": 401},
        {**request, "actor": CLIENT_ID, "status": 200},
    ]
