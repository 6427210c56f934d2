"""Leftovers of ended runs, locks of ended owners, and sweeps that fail in part."""

import json
from typing import Any

import pytest
from slipway.config import load
from slipway.errors import ConfigurationError, SweepIncomplete
from slipway.sweep.sweep import SweepConfig, sweep

from tests.unit.conftest import RUN_ID
from tests.unit.sweep.sweep_runs.conftest import (
    LIST,
    MAPPING,
    REMEDIATION,
    RUN,
    SHOP,
    World,
    ago,
    execution,
)

pytestmark = pytest.mark.waits

REFUSED = "PROBLEM: SASL authentication failed"


def mapping_problems(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the functions whose mapping was counted as faulty."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line["function_name"] for line in lines if "MappingProblem" in line]


def test_sweep_counts_mapping_that_reports_a_problem(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    world.mapping(monkeypatch, LastProcessingResult=REFUSED)

    sweep(60)

    assert mapping_problems(capsys) == ["slipway-upscale_service"]


@pytest.mark.parametrize(
    "mapping",
    [
        {"LastProcessingResult": "OK"},
        {"LastProcessingResult": "No records processed"},
        {"LastProcessingResult": REFUSED, "State": "Disabled"},
    ],
)
def test_sweep_counts_no_mapping_that_reads_or_is_paused(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mapping: dict[str, Any],
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    world.mapping(monkeypatch, **mapping)

    sweep(60)

    assert mapping_problems(capsys) == []


def test_sweep_continues_when_a_mapping_is_unreadable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.mapping(monkeypatch)
    world.port.script(f"GET /2015-03-31/event-source-mappings/{MAPPING}", (403, {}, {}))
    world.ended(RUN_ID)
    world.seen()

    with pytest.raises(SweepIncomplete, match="slipway-upscale_service"):
        sweep(60)

    assert world.row()["outcome"] == "FAILURE"


def test_sweep_cleans_up_after_a_run_that_ended_unnoticed(world: World) -> None:
    world.ended(RUN_ID)
    world.seen(action="create_service", pr_number=7)
    world.pull("open")
    (pull,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    branch = f"slipway/create_service/{RUN_ID}"
    world.github.script(f"DELETE /git/refs/heads/{branch}", (204, None, {}))
    world.entity(health_status="Pending", pr_url=pull["html_url"])

    sweep(60)

    assert world.github.sent("PATCH /pulls/7") == [{"state": "closed"}]
    assert f"DELETE {SHOP}" in world.port.routes()
    assert world.holder() is None
    assert world.row()["outcome"] == "FAILURE"
    assert world.updates() == []


def test_sweep_follows_a_merge_when_the_run_was_ended_before_it(
    world: World,
) -> None:
    world.ended(RUN_ID, "delete_service")
    world.seen(action="delete_service", pr_number=7)
    world.pull("merged")
    world.entity(health_status="Healthy")

    sweep(60)

    assert f"DELETE {SHOP}" in world.port.routes()
    assert world.row()["outcome"] == "FAILURE"
    assert world.updates() == []


def test_sweep_leaves_a_run_that_has_just_ended(
    world: World,
) -> None:
    world.ended(RUN_ID)
    world.seen(at=ago(minutes=1), pr_number=7)
    world.lock(RUN_ID, taken=ago(seconds=1))

    sweep(60)

    assert world.holder() == RUN_ID
    assert "outcome" not in world.row()


@pytest.mark.parametrize(
    ("owner", "kind", "freed"),
    [
        ("r_unknown000000000", "run", True),
        (RUN_ID, "run", False),
        (REMEDIATION, "remediation", False),
        ("b" * 32 + "-7", "remediation", True),
    ],
)
def test_sweep_frees_a_lock_when_its_owner_has_ended(
    world: World, owner: str, kind: str, freed: bool
) -> None:
    world.run(executed=ago(minutes=1))
    execution(REMEDIATION, "remediation")
    world.lock(owner, kind)

    sweep(60)

    assert (world.holder() is None) is freed


def test_sweep_leaves_a_lock_that_was_just_acquired(world: World) -> None:
    world.lock("r_unknown000000000", taken=ago(seconds=30))

    sweep(60)

    assert world.holder() == "r_unknown000000000"


def test_sweep_continues_when_one_run_fails(
    world: World,
) -> None:
    others = [f"r_{number:016}" for number in range(3)]
    for run_id in (RUN_ID, *others):
        world.run(run_id)
        world.rung(3, run_id)
    refused = {"ok": False, "error": "missing_permissions", "message": "No."}
    world.port.script(f"PATCH {RUN}", (403, refused, {}))

    with pytest.raises(SweepIncomplete, match=f"incomplete: {RUN_ID}: Port answered 403"):
        sweep(60)

    assert all(len(world.updates(run_id)) == 1 for run_id in others)


def test_run_of_an_unknown_status_does_not_stop_the_sweep(world: World) -> None:
    other = "r_other00000000000"
    world.run(status="PAUSED")
    world.run(other)
    world.rung(3, other)

    sweep(60)

    assert world.updates() == []
    assert len(world.updates(other)) == 1


def test_sweep_succeeds_when_a_run_ends_concurrently(world: World) -> None:
    world.run()
    world.rung(3)
    exhausted = {"ok": False, "error": "run_exhausted", "message": "It is over."}
    world.port.script(f"POST {RUN}/logs", (422, exhausted, {}))

    sweep(60)

    assert world.updates() == []


def test_sweep_ends_runs_that_do_not_need_github_when_it_is_down(world: World) -> None:
    world.github.script("GET /pulls", (401, {"message": "Bad credentials"}, {}))
    world.run("r_never00000000000")
    world.rung(3, "r_never00000000000")
    world.run()
    world.seen()

    with pytest.raises(SweepIncomplete, match="open pull requests: GitHub answered 401"):
        sweep(60)

    assert len(world.updates("r_never00000000000")) == 1
    assert world.updates() == []


def test_sweep_names_each_failed_list_and_frees_locks(
    world: World,
) -> None:
    world.port.script(LIST, (403, {"ok": False, "error": "missing_permissions"}, {}))
    world.lock("r_unknown000000000")

    with pytest.raises(SweepIncomplete, match="runs of create_service: Port answered 403"):
        sweep(60)

    assert world.holder() is None


def test_sweep_changes_nothing_when_time_is_up(world: World) -> None:
    world.run()
    world.lock("r_unknown000000000")

    sweep(0)

    assert world.updates() == []
    assert world.holder() == "r_unknown000000000"


@pytest.mark.parametrize(
    "limits", ['{"held": 0}', '{"reminder": 2592000}', '{"report": "soon"}', "{"]
)
def test_invalid_sweep_limits_are_refused_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch, limits: str
) -> None:
    monkeypatch.setenv("SWEEP_LIMITS", limits)

    with pytest.raises(ConfigurationError, match="SWEEP_LIMITS"):
        load(SweepConfig)
