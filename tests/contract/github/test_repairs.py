"""Repairs against the sandbox's GitHub: real git, and a runner for the template's workflow."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from slipway.github.folder import nothing
from slipway.github.models import Change
from slipway.github.repairs import Repairs
from slipway.github.roll_back import LastChange, NothingToRollBack, roll_back, roll_back_branch
from slipway.github.workflows import WorkflowRun, Workflows

from tests.contract.github.conftest import GitHubServer, Services
from tests.entities import service_files
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.waits

TEMPLATE = Path(__file__).resolve().parents[3] / "services-repo"
NOW = datetime.now(UTC).replace(microsecond=0)
SINCE = NOW - timedelta(minutes=1)
FILE = ".github/workflows/slipway-restart.yml"
MARKER = '<!-- slipway {"kind":"remediation","identifier":"shop"} -->'


class World:
    """A services repository and its repairs."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.repairs = Repairs(services.slipway)
        self.workflows = Workflows(services.slipway)

    def restart(self, mark: str) -> None:
        """Start the restart workflow."""
        inputs = {"service": "shop", "namespace": "test-shop", "environment": "Test"}
        self.workflows.dispatch(FILE, {**inputs, "remediation": mark})

    def propose(self, branch: str, files: dict[str, Any], service: str = "shop") -> Change:
        change = Change(
            entity=service_files(service),
            branch=branch,
            title=f"Change {service}",
            body="For humans.",
            files={f"apps/{service}/{name}": json.dumps(data) for name, data in files.items()},
        )
        self.services.slipway.propose(change)
        return change

    def merge(self, change: Change, method: str = "squash") -> int:
        pull = self.services.slipway.find(change.branch)
        assert pull is not None
        assert self.services.github.get_pull(pull.number).merge(merge_method=method).merged
        return pull.number

    def create(self, service: str = "shop") -> None:
        """Create a service with two files, as an action does."""
        files = {"portData.json": {"identifier": service}, "common_values.json": {"v": 1}}
        self.merge(self.propose(f"slipway/create_service/r_{service}", files, service))

    def merge_rollback(self, last: LastChange, remediation_id: str) -> str:
        """Propose the rollback twice, as after a crash, and merge it."""
        change = roll_back(last, remediation_id=remediation_id, why="It is unhealthy.")
        pull = self.services.slipway.propose(change)
        assert self.services.slipway.propose(change).number == pull.number
        return self.services.slipway.merge(change, pull.number, pull.head_sha).state

    def tree(self) -> dict[str, str]:
        """Return path → blob SHA of the service's folder."""
        return dict(self.services.slipway.read(service_files("shop"), nothing).files)


@pytest.fixture
def world(services: Services) -> World:
    return World(services)


@pytest.fixture(scope="module")
def template(server: GitHubServer) -> World:
    """Make a repository with the template's workflows and a service."""
    world = World(Services(server))
    files = {
        str(path.relative_to(TEMPLATE)): path.read_text()
        for path in (TEMPLATE / ".github").rglob("*")
        if path.is_file()
    }
    world.services.push({**files})
    world.create()
    return world


@pytest.fixture(scope="module")
def cluster(template: World) -> Iterator[ScriptedServer]:
    with ScriptedServer().running() as cluster:
        template.services.github.create_variable("CLUSTER_URL", cluster.url)
        yield cluster


def ended(world: World, remediation_id: str) -> WorkflowRun:
    deadline = time.monotonic() + 300
    while True:
        outcome = world.workflows.find(FILE, remediation_id, since=SINCE)
        if outcome and outcome.state in {"succeeded", "failed"}:
            return outcome
        assert time.monotonic() < deadline, outcome
        time.sleep(0.05)  # between two checks of a condition with a time limit


# -- restart


def test_restart_workflow_calls_the_cluster_once(template: World, cluster: ScriptedServer) -> None:
    route = "POST /services/shop/restart"
    cluster.script(route, (200, {}, {}))

    template.restart("once-1")
    outcome = ended(template, "once-1")

    assert outcome.state == "succeeded"
    assert "/actions/runs/" in outcome.url
    assert cluster.routes().count(route) == 1


def test_restart_fails_when_the_cluster_refuses(template: World, cluster: ScriptedServer) -> None:
    cluster.script("POST /services/shop/restart", (404, {"message": "not here"}, {}))

    template.restart("refused-1")

    outcome = ended(template, "refused-1")
    assert (outcome.state, outcome.conclusion) == ("failed", "failure")


@pytest.mark.parametrize("typed", ["../shop", "shop; touch x", "$(touch x)", "Shop", "a b", ""])
def test_restart_workflow_refuses_an_impossible_name(
    template: World, cluster: ScriptedServer, typed: str
) -> None:
    before = len(cluster.requests)
    inputs = {
        "service": typed or " ",
        "namespace": "n",
        "environment": "Test",
        "remediation": f"typed-{abs(hash(typed))}",
    }
    workflow = template.services.github.get_workflow("slipway-restart.yml")
    assert workflow.create_dispatch("main", inputs)

    def run() -> Any:
        name = f"Restart {inputs['service']} ({inputs['remediation']})"
        runs = [run for run in workflow.get_runs() if run.display_title == name.strip()]
        return runs[0] if runs and runs[0].status == "completed" else None

    deadline = time.monotonic() + 300
    while (found := run()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two checks of a condition with a time limit
    assert found.conclusion == "failure"
    assert len(cluster.requests) == before


# -- rollback


def test_merged_rollback_restores_the_folder(
    world: World,
) -> None:
    world.create()
    before = world.tree()
    files = {"common_values.json": {"v": 2}, "extra.json": {}}
    bad = world.merge(world.propose("slipway/upscale_service/r_2", files))

    last = world.repairs.last_change(service_files("shop"))
    assert isinstance(last, LastChange)
    assert (last.pull_number, last.name) == (bad, f"#{bad}")
    assert world.merge_rollback(last, "unhealthy-1") == "merged"

    assert world.tree() == before
    found = world.services.slipway.find(roll_back_branch("unhealthy-1"))
    assert found is not None
    assert found.state == "merged"


def test_repair_is_not_rolled_back_as_the_last_change(
    world: World,
) -> None:
    world.create()
    world.merge(world.propose("slipway/upscale_service/r_2", {"common_values.json": {"v": 2}}))
    repair = world.merge(world.propose("slipway/roll_back/x-1", {"common_values.json": {"v": 1}}))

    nothing = world.repairs.last_change(service_files("shop"))
    assert nothing == NothingToRollBack(
        f"Its last change, #{repair}, was a repair by Slipway itself."
    )


def test_rollback_of_a_merge_commit_undoes_only_that_merge(
    world: World,
) -> None:
    world.create()
    # Given two merges from the same commit, of which the first has further files
    late = world.propose("people/late", {"custom.json": {"late": True}})
    early = world.propose("people/early", {"common_values.json": {"v": 2}})
    world.merge(early, "merge")
    expected = world.tree()
    number = world.merge(late, "merge")

    last = world.repairs.last_change(service_files("shop"))

    assert isinstance(last, LastChange)
    assert last.pull_number == number
    assert last.before == {"apps/shop/custom.json": None}
    assert world.merge_rollback(last, "merge-1") == "merged"
    assert world.tree() == expected


def test_commit_without_a_pull_request_can_be_rolled_back(
    world: World,
) -> None:
    world.create()
    world.services.push({"apps/shop/common_values.json": '{"v": 7}'})

    last = world.repairs.last_change(service_files("shop"))

    assert isinstance(last, LastChange)
    assert last.pull_number is None
    assert f"/commit/{last.commit}" in last.url
    assert last.before == {"apps/shop/common_values.json": '{"v": 1}'}


def test_rollback_restores_renamed_and_removed_files(
    world: World,
) -> None:
    world.create()
    before = world.tree()
    world.services.push(
        {
            "apps/shop/common_values.json": None,
            "apps/shop/renamed.json": '{"v": 1}',
            "apps/shop/portData.json": None,
        },
    )

    last = world.repairs.last_change(service_files("shop"))

    assert isinstance(last, LastChange)
    assert last.before["apps/shop/renamed.json"] is None
    assert world.merge_rollback(last, "renamed-1") == "merged"
    assert world.tree() == before


def test_new_or_missing_service_has_nothing_to_roll_back(
    world: World,
) -> None:
    assert isinstance(world.repairs.last_change(service_files("shop")), NothingToRollBack)
    world.create()
    nothing = world.repairs.last_change(service_files("shop"))
    assert nothing == NothingToRollBack("It has not been changed since it was created.")
    world.services.push({"apps/shop/common_values.json": None, "apps/shop/portData.json": None})
    nothing = world.repairs.last_change(service_files("shop"))
    assert nothing == NothingToRollBack("It no longer has files on the base branch.")


def test_changes_of_other_services_are_not_rolled_back(world: World) -> None:
    world.create()
    world.create("other")

    assert isinstance(world.repairs.last_change(service_files("shop")), NothingToRollBack)


def test_last_change_takes_seven_requests(world: World) -> None:
    world.create()
    world.merge(world.propose("slipway/upscale_service/r_2", {"common_values.json": {"v": 2}}))

    requests = world.services.server.count()
    world.repairs.last_change(service_files("shop"))

    assert requests() == 7


# -- escalation


def test_two_remediations_share_one_issue_until_it_is_closed(world: World) -> None:
    def escalate(body: str, comment: str | None = None) -> tuple[int, bool]:
        over = world.repairs.escalate(
            title="Service shop is unhealthy",
            body=f"{body}\n{MARKER}",
            labels=("slipway", "remediation"),
            marker=MARKER,
            comment=comment,
        )
        return over.number, over.created

    number, created = escalate("first", "first news")
    assert created
    assert escalate("first", "second news") == (number, False)
    assert escalate("second", "second news") == (number, False)

    issue = world.services.github.get_issue(number)
    assert issue.body == f"second\n{MARKER}"
    assert [comment.body for comment in issue.get_comments()] == ["second news"]
    assert {label.name for label in issue.labels} == {"slipway", "remediation"}
    issue.edit(state="closed")
    assert escalate("third") == (number + 1, True)
