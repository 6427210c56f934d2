"""Pull requests that are not reported, or not yet."""

from typing import Any

import pytest
from slipway.errors import (
    GitHubUnavailable,
    NothingToReport,
    PortUnavailable,
    ReportTooEarly,
)

from tests.unit.reports.world import (
    RUN_ID,
    SERVICE,
    World,
)

pytestmark = pytest.mark.waits


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "open", "merged": False}, "is open"),
        ({"head": {"ref": "feature", "repo": {"id": 7}}}, "is not 'slipway/<action>/<run id>'"),
        ({"head": {"ref": "slipway/x/../r_1", "repo": {"id": 7}}}, "is not 'slipway/"),
        ({"head": {"ref": "slipway/x/r_1\n", "repo": {"id": 7}}}, "is not 'slipway/"),
        ({"head": {"ref": "slipway/x/r_unknown", "repo": {"id": 7}}}, "does not know run"),
        (
            {"head": {"ref": f"slipway/delete_service/{RUN_ID}", "repo": {"id": 7}}},
            "belongs to action",
        ),
    ],
)
def test_foreign_pull_request_is_refused(world: World, changes: dict[str, Any], said: str) -> None:
    world.pull(**changes)

    with pytest.raises(NothingToReport, match=said):
        world.report()

    assert world.writes() == []
    assert world.run["status"] == "IN_PROGRESS"


def test_number_without_a_pull_request_is_refused(world: World) -> None:
    with pytest.raises(NothingToReport, match="Pull request #99 does not exist"):
        world.report(99)


@pytest.mark.parametrize("row", [{"pr_number": None}, {"pr_number": None, "service": None}])
def test_pull_request_missing_from_the_ledger_waits(world: World, row: dict[str, Any]) -> None:
    world.commit()
    world.pull()
    world.note(**row)

    with pytest.raises(ReportTooEarly):
        world.report()

    assert world.writes() == []


def test_ended_run_without_pull_request_is_refused(world: World) -> None:
    world.commit()
    world.pull()
    world.note(pr_number=None)
    world.run["status"] = "FAILURE"

    with pytest.raises(NothingToReport, match="no record of its pull request"):
        world.report()


def test_run_without_a_known_entity_is_refused(world: World) -> None:
    world.commit()
    world.pull()
    world.note(service=None)

    with pytest.raises(NothingToReport, match="does not have the entity"):
        world.report()


def test_merge_is_reported_when_its_kind_was_removed(world: World) -> None:
    world.commit()
    world.pull()
    world.note(service="cluster/blue")

    world.report()

    assert world.entity_writes == []
    assert world.run["status"] == "SUCCESS"
    assert "a kind for blueprint 'cluster'" in world.run["summary"]


@pytest.mark.parametrize(
    ("route", "error"),
    [("GET /github", GitHubUnavailable), ("GET /port/v1/actions", PortUnavailable)],
)
def test_outage_is_retried_later(world: World, route: str, error: type[Exception]) -> None:
    world.commit()
    world.pull()
    world.faults = [(route, 503)] * 20

    with pytest.raises(error):
        world.report()

    assert world.writes() == []


@pytest.mark.parametrize("call", ["GET /port/v1/actions/runs", "DELETE /port/v1/blueprints"])
def test_foreign_404_is_retried_later(world: World, call: str) -> None:
    world.pending()
    world.pull(merged=False)
    world.faults = [(call, 404)] * 20

    with pytest.raises(PortUnavailable):
        world.report()

    assert world.run["status"] == "IN_PROGRESS"
    assert SERVICE in world.entities


def test_pull_request_of_another_repository_is_refused(world: World) -> None:
    world.commit()
    world.pull()
    world.note(repository="platform")

    with pytest.raises(NothingToReport, match="in another repository"):
        world.report()

    assert world.writes() == []
