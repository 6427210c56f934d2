"""A soak's faults end, and leave the soak's own requests alone."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import responses

from scripts.soaking.faults import KINDS, Faults

pytestmark = pytest.mark.waits

ENV = {
    "PORT_BASE_URL": "http://port.test",
    "GITHUB_API_URL": "http://github.test/api/v3",
    "AWS_ENDPOINT_URL": "http://aws.test",
    "SANDBOX_TOKEN": "token",
}
KNOBS = re.compile(r"http://(port|github|aws)\.test/_sandbox/.*")
OF_KNOBS = [kind for kind in KINDS if not kind.endswith("-gone") and kind != "broker-restart"]
CLEARED = {("DELETE", "faults"), ("PUT", "rate_limit")}


@pytest.fixture
def knobs() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST", "PUT", "DELETE"):
            mock.add(method, KNOBS, json={})
        yield mock


def faults(*kinds: str) -> Faults:
    made = Faults(ENV, Path(), list(kinds), 1, threading.Lock(), pause=0.01)
    made.stop()  # This ends each episode at once, and stopping also clears the faults.
    return made


def calls(knobs: responses.RequestsMock) -> list[tuple[str, str]]:
    return [
        (call.request.method or "", str(call.request.url).rpartition("/")[2])
        for call in knobs.calls
    ]


@pytest.mark.parametrize("kind", OF_KNOBS)
def test_fault_is_removed_when_its_episode_ends(kind: str, knobs: responses.RequestsMock) -> None:
    made = faults(kind)
    knobs.calls.reset()

    with KINDS[kind](made):
        began = calls(knobs)

    if kind == "lambda-killed":
        assert set(began) <= {("POST", "kills")}
        return
    (begun,) = began
    assert begun in {("POST", "faults"), ("PUT", "rate_limit")}
    assert calls(knobs)[-1] in CLEARED


def test_fault_is_removed_when_its_episode_raises(
    knobs: responses.RequestsMock,
) -> None:
    made = faults("port-down")

    with pytest.raises(KeyError), KINDS["port-down"](made):
        raise KeyError

    assert calls(knobs)[-1] == ("DELETE", "faults")


def test_port_fault_does_not_affect_starting_an_action(
    knobs: responses.RequestsMock,
) -> None:
    made = faults("port-answers-lost")
    knobs.calls.reset()

    with KINDS["port-answers-lost"](made):
        pattern = json.loads(knobs.calls[0].request.body or "")["path"]

    assert not re.search(pattern, "/v1/actions/upscale_service/runs")
    assert re.search(pattern, "/v1/actions/runs/r_0123456789abcdef")
    assert re.search(pattern, "/v1/blueprints/service/entities")


def test_stopped_soak_removes_every_fault(
    knobs: responses.RequestsMock,
) -> None:
    made = Faults(ENV, Path(), ["port-down"], 1, threading.Lock(), pause=60)

    made.start()
    made.stop()

    assert calls(knobs)[-3:] == [("DELETE", "faults"), ("DELETE", "faults"), ("PUT", "rate_limit")]
