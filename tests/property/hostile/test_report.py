"""Whatever people wrote into a pull request and its files: a report, or a sentence about it.

The workflow's scripts end with 0 or 1, never with a traceback, and write to no other service.
"""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report
import restart
from hypothesis import example, given
from hypothesis import strategies as st
from slipway.github.models import SERVICE_NAME
from slipway_report import api
from slipway_report.subject import agree, claims_of_paths
from slipway_report.values import read_values

from tests.property.hostile.mutation import NASTY, examples, mutated, mutated_bytes
from tests.unit.services_repo.world import (
    COMMON,
    FOLDER,
    PORT_DATA,
    SECRET,
    SERVICE,
    World,
    comment,
    serve,
)

pytestmark = pytest.mark.waits

RUN: dict[str, Any] = {
    "id": "r_0123456789abcdef",
    "status": "IN_PROGRESS",
    "link": [],
    "entity": None,
    "action": {"identifier": "create_service"},
    "properties": {"service_name": SERVICE},
    "blueprint": {"identifier": "service"},
}
EVENTS = [{"inputs": {"pull_request": "12"}}, {"pull_request": {"number": 1}, "sender": {}}]
PATHS = ["apps/a/x", "apps/a/../b/x", "apps/../x", "apps//x"]
ACTIONS = ["create_service", "upscale_service", "delete_service"]
texts = st.sampled_from([n for n in NASTY if isinstance(n, str)]) | st.text(max_size=60)
file_texts = mutated_bytes(PORT_DATA).map(lambda raw: raw.decode("utf-8", "replace")) | texts
bodies = (
    texts
    | mutated(json.loads(comment()[13:-4])).map(
        lambda data: f"x <!-- slipway {json.dumps(data)} -->"
    )
    | st.just(comment() + comment())
)
values = mutated_bytes(COMMON).map(lambda raw: raw.decode("utf-8", "replace")) | st.lists(
    st.sampled_from(
        ["replicas: 2\n", "image:\n", "  tag: 1.0\n", "  tag: '1", "\n", "{", "]", "# x\n", "- a\n",
         "replicas:\n  3\n", "\ttag: 2\n", "\u2028", "---\n", "|\n", "&a ", "*a", "٣", "\x00", '"']
    ),
    max_size=12,
).map("".join)  # fmt: skip


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(api.Patience.__init__, "__defaults__", (0.0, lambda _: None))
    with serve(World(tmp_path)) as world:
        yield world


def renewed(world: World) -> World:
    """The same server with a new world behind it."""
    folder, url = world.folder, world.url
    world.__init__(folder)  # type: ignore[misc]  # the server keeps this object
    world.url = url
    return world


@given(
    action=st.sampled_from(ACTIONS),
    body=bodies,
    data=file_texts,
    common=values,
    merged=st.booleans(),
)
@example(action="create_service", body="", data="[" * 50_000, common="", merged=True)
@examples(60)
def test_given_anything_in_a_pull_request_when_reported_then_of_its_own_service_or_a_sentence(
    served: World, action: str, body: str, data: str, common: str, merged: bool
) -> None:
    world = renewed(served)
    pull = world.day_2(action, merged=merged) if action != "create_service" else world.pull()
    pull |= {"body": body, "merged": merged}
    for ref in ("merge-sha", "main", "base-sha", "head-sha"):
        world.files[ref, f"{FOLDER}/portData.json"] = data.encode(errors="replace").decode()
        world.files[ref, f"{FOLDER}/common_values.yaml"] = common.encode(errors="replace").decode()

    assert report.main(world.closed(pull)) in {0, 1}

    assert {entity["identifier"] for entity, _ in world.entity_writes} <= {SERVICE}
    assert set(world.entities) <= {SERVICE}


@given(run=mutated(RUN))
@example(run={"id": "r_0123456789abcdef", "status": "IN_PROGRESS", "properties": [1]})
@example(run={"id": "r_0123456789abcdef"})
@examples(40)
def test_given_any_run_of_port_when_reported_then_reported_or_a_sentence(
    served: World, run: Any
) -> None:
    world = renewed(served)
    world.commit("merge-sha")
    world.commit("main")
    answered = dict(run) if isinstance(run, dict) else {}
    world.run = {**answered, "id": "r_0123456789abcdef"}
    world.run.setdefault("status", None)

    assert report.main(world.closed(world.pull())) in {0, 1}


@given(event=mutated(*EVENTS))
@examples(60)
def test_given_any_event_when_reported_then_reported_or_a_sentence(
    served: World, event: Any
) -> None:
    world = renewed(served)
    world.pull()

    assert report.main(world.job(event)) in {0, 1}


@given(event=mutated({"inputs": {"service": SERVICE, "remediation": "x-1"}}), data=file_texts)
@examples(60)
def test_given_anything_when_restarted_then_restarted_or_a_sentence(
    served: World, event: Any, data: str
) -> None:
    world = renewed(served)
    folder = world.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "portData.json").write_bytes(data.encode(errors="replace"))
    environment = world.job(event, GITHUB_WORKSPACE=str(world.folder))

    assert restart.main(environment, world.folder / "no-hook") in {0, 1}


@given(text=values, extension=st.sampled_from(["json", "yaml"]))
@examples(200)
def test_given_any_values_when_read_then_a_count_and_a_tag_or_nothing(
    text: str, extension: str
) -> None:
    found = read_values(text, extension)
    assert found.replicas is None or isinstance(found.replicas, int)
    assert found.image_tag is None or isinstance(found.image_tag, str)


@given(paths=st.lists(texts | st.sampled_from(PATHS)))
@examples(100)
def test_given_any_changed_paths_when_read_then_one_service_or_none(paths: list[str]) -> None:
    claims = claims_of_paths(paths)

    with contextlib.suppress(api.ReportError):
        subject = agree({"x": {**(claims or {}), "blueprint": "b", "action": "a", "run_id": "r"}})
        assert all(path.startswith(f"{subject.folder}/") for path in paths)
        assert SERVICE_NAME.fullmatch(subject.service)


def test_given_a_failure_when_reported_then_no_secret_is_in_the_jobs_log(
    served: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    served.secret = "another"
    report.main(served.closed(served.pull()))

    told = "".join(capsys.readouterr()) + caplog.text
    assert "PORT_CLIENT_SECRET" in told
    assert SECRET not in told
