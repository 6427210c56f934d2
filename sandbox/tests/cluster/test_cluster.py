"""The cluster against real GitHub and Port servers: follows, serves, breaks, is cured."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cluster.app import create_app
from sandbox.cluster.model import Fault, Version, cured_by, read_version
from sandbox.tests.cluster.conftest import STARTUP_SECONDS, World
from sandbox.tests.github.harness import commit
from sandbox.tests.http import HTTP
from sandbox.tests.waiting import LIMIT, wait_for


def deploy(world: World, name: str = "one", tag: str = "1.0", replicas: int = 2) -> None:
    values = f"# comment\nimage:\n  tag: '{tag}'\nreplicas: {replicas}\n"
    commit(world.repo, {f"apps/{name}/common_values.yaml": values}, "main")
    world.cluster.step()


def start_up(world: World, name: str = "one") -> None:
    """Let the time pass that a service needs to start."""
    world.clock.move(STARTUP_SECONDS)
    assert world.health(name) == (200, "ok")


@contextmanager
def served(world: World, hang_seconds: float = 20) -> Iterator[str]:
    """The cluster behind a real server: only there a client can turn away."""
    config = uvicorn.Config(create_app(world.cluster, hang_seconds), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "start")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(LIMIT)
    assert not thread.is_alive()


def test_a_merged_service_starts_up_and_is_reported_synced(world: World) -> None:
    world.add_entity("one")
    assert world.health("one")[0] == 404
    deploy(world)
    world.clock.move(STARTUP_SECONDS - 0.1)
    assert world.health("one") == (503, "starting")
    start_up(world)
    assert world.get("/services/one/health").json() == {
        "status": "ok", "image_tag": "1.0", "replicas": 2,
    }  # fmt: skip
    assert world.entity("one") == {"sync_status": "Synced"}


def test_reports_wait_for_the_entity_in_their_order(world: World) -> None:
    deploy(world)
    world.post("/services/one/break", cure="never")
    world.cluster.step()
    assert len(world.get("/services").json()[0]["not_reported"]) == 3
    world.add_entity("one")
    world.cluster.step()
    assert world.entity("one") == {"sync_status": "Synced", "health_status": "Degraded"}
    assert world.get("/services").json()[0]["not_reported"] == []


def test_a_restart_cures_only_what_a_restart_cures(world: World) -> None:
    deploy(world)
    start_up(world)
    for cure, after in (("restart", 200), ("never", 503)):
        world.post("/services/one/break", cure=cure)
        assert world.health("one") == (503, "failing")
        world.post("/services/one/restart")
        world.clock.move(STARTUP_SECONDS)
        assert world.health("one")[0] == after
    assert world.health("one") == (503, "failing")
    world.post("/services/one/heal")
    start_up(world)


def test_more_replicas_cure_what_scaling_cures(world: World) -> None:
    deploy(world)
    start_up(world)
    world.post("/services/one/break", cure="scale")
    deploy(world, tag="2.0")
    assert world.health("one") == (503, "failing")
    deploy(world, tag="2.0", replicas=3)
    assert world.health("one") == (200, "ok")


def test_going_back_cures_what_a_roll_back_cures(world: World) -> None:
    deploy(world, tag="1.0")
    deploy(world, tag="2.0")
    start_up(world)
    world.post("/services/one/break", cure="roll_back")
    deploy(world, tag="3.0")
    assert world.health("one") == (503, "failing")
    deploy(world, tag="1.0")
    assert world.health("one") == (200, "ok")


def test_a_removed_service_is_gone(world: World) -> None:
    deploy(world)
    deploy(world, "two")
    commit(world.repo, {"apps/one/common_values.yaml": None}, "main")
    world.cluster.step()
    assert [service["name"] for service in world.get("/services").json()] == ["two"]
    assert world.post("/services/one/restart").status_code == 404


def test_unusable_values_make_a_service_degraded(world: World) -> None:
    world.add_entity("one")
    commit(world.repo, {"apps/one/common_values.json": "{"}, "main")
    world.cluster.step()
    assert world.health("one") == (503, "failing")
    assert world.entity("one") == {"sync_status": "OutOfSync", "health_status": "Degraded"}


@pytest.mark.parametrize(
    "body",
    [
        {"cure": "prayer"},
        {},
        {"cure": "never", "symptom": "headache"},
        {"cure": "never", "for_seconds": 0},
        {"cure": "never", "for_seconds": -1},
        {"cure": "never", "for_seconds": "inf"},
        {"cure": "never", "how": "slowly"},
    ],
)
def test_what_is_no_fault_is_refused(world: World, body: dict[str, Any]) -> None:
    deploy(world)
    assert world.post("/services/one/break", **body).status_code == 422


def test_wrong_json_comes_with_a_good_status(world: World) -> None:
    deploy(world)
    start_up(world)
    world.post("/services/one/break", cure="restart", symptom="wrong_json")
    assert world.health("one") == (200, "failing")
    world.post("/services/one/restart")
    start_up(world)


def test_a_service_that_answers_nothing_lets_a_probe_wait(world: World) -> None:
    deploy(world)
    start_up(world)
    world.post("/services/one/break", cure="never", symptom="timeout")
    with served(world) as url:
        with pytest.raises(httpx.ReadTimeout):
            HTTP.get(f"{url}/services/one/health", timeout=0.3)
        # Others are not kept waiting by it.
        assert HTTP.get(f"{url}/services").json()[0]["symptom"] == "timeout"
        HTTP.post(f"{url}/services/one/heal")
        assert HTTP.get(f"{url}/services/one/health").status_code == 200


def test_probe_without_its_own_timeout_ends_with_an_error(world: World) -> None:
    deploy(world)
    world.post("/services/one/break", cure="never", symptom="timeout")
    with served(world, hang_seconds=0.1) as url:
        assert HTTP.get(f"{url}/services/one/health").status_code == 504


def test_temporary_fault_ends_but_the_catalog_stays_degraded(world: World) -> None:
    world.add_entity("one")
    deploy(world)
    start_up(world)
    for _ in range(2):
        world.post("/services/one/break", cure="never", for_seconds=30)
        world.cluster.step()
        world.clock.move(29.9)
        assert world.health("one") == (503, "failing")
        assert world.get("/services").json()[0]["cure"] == "never"
        world.clock.move(0.1)
        assert world.health("one") == (200, "ok")
        world.cluster.step()
        assert world.entity("one")["health_status"] == "Degraded"
        assert world.get("/services").json()[0]["cure"] is None


def test_a_restart_that_cures_nothing_is_counted_all_the_same(world: World) -> None:
    deploy(world)
    world.post("/services/one/break", cure="scale")
    assert world.post("/services/one/restart").json()["restarts"] == 1
    assert world.health("one") == (503, "failing")


@given(st.binary(max_size=200))
def test_any_values_give_a_version(data: bytes) -> None:
    version = read_version("c", "t", {"common_values.yaml": data})
    assert version.problem or version.replicas >= 0


@pytest.mark.parametrize("cure", ["restart", "never"])
def test_no_commit_cures_these(cure: str) -> None:
    old = Version("c", "t", "1", 1)
    fault = Fault(cure, old)  # type: ignore[arg-type]  # of the parametrisation
    assert not cured_by(fault, Version("d", "u", "2", 9), {"u"})
