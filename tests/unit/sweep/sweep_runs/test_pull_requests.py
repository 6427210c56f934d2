"""How the sweep handles open pull requests, and unreported ends of pull requests."""

from typing import Any

import pytest
from slipway.aws import dynamodb_table
from slipway.errors import SweepIncomplete
from slipway.runs.ledger import timestamp
from slipway.sweep.sweep import sweep

from tests.unit.conftest import RUN_ID
from tests.unit.sweep.sweep_runs.conftest import BRANCHES, World, ago

pytestmark = pytest.mark.waits


def test_sweep_ignores_fork_branches(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=40))
    (theirs,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    ours = {**theirs, "created_at": timestamp(ago(days=1))}
    theirs["head"] = {**theirs["head"], "repo": {"id": 8, "full_name": "acme/fork"}}
    world.github.script("GET /pulls", (200, [theirs], {}), (200, [ours], {}))

    sweep(60)

    assert world.asked_github() == ["GET /pulls", "GET /pulls", BRANCHES]


@pytest.mark.parametrize("author", [{"login": "mallory"}, None])
def test_sweep_ignores_a_pull_request_of_another_user(world: World, author: Any) -> None:
    world.run()
    world.seen()
    world.pull("merged")
    pulls = world.github.answers["GET /repos/acme/services/pulls"][-1][1]
    world.github.script("GET /pulls", (200, [], {}), (200, [{**pulls[0], "user": author}], {}))

    sweep(60)

    assert world.updates()[-1]["statusLabel"] == "On hold for too long"


def test_sweep_closes_a_pull_request_to_another_branch(world: World) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open")
    (pull,) = world.github.answers["GET /repos/acme/services/pulls"][0][1]
    world.github.script("GET /pulls", (200, [{**pull, "base": {**pull["base"], "ref": "x"}}], {}))

    sweep(60)

    (comment,) = world.github.sent("POST /issues/7/comments")
    assert comment["body"].startswith(
        "Slipway closed this pull request because its base branch is 'x'."
    )
    assert world.github.sent("PATCH /pulls/7") == [{"state": "closed"}]
    assert world.updates() == []  # The report of the closed one ends the run.


def test_recorded_pull_request_counts_with_other_credentials(world: World) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("closed")
    world.github.script("GET /user", (200, {"login": "slipway-of-today"}, {}))

    sweep(60)

    assert world.updates()[-1]["statusLabel"] == "Closed"


def test_sweep_reminds_once_of_a_pull_request_near_its_limit(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=28))

    sweep(60)
    sweep(60)

    (comment,) = world.github.sent("POST /issues/7/comments")
    assert f"{ago(days=-2):%d %B %Y}" in comment["body"]
    assert f"runId={RUN_ID}" in comment["body"]
    assert world.asked_github().count("GET /issues/7/comments") == 1


def test_sweep_does_not_repeat_an_existing_reminder(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=28))
    sweep(60)
    (comment,) = world.github.sent("POST /issues/7/comments")
    world.github.script("GET /issues/7/comments", (200, [comment], {}))
    dynamodb_table("runs").update_item(
        Key={"run_id": RUN_ID}, UpdateExpression="REMOVE reminded_at"
    )

    sweep(60)

    assert world.github.count("POST /issues/7/comments") == 1
    assert "reminded_at" in world.row()


def test_sweep_closes_an_overdue_pull_request_with_a_reason(
    world: World,
) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("open", opened=ago(days=31))

    sweep(60)

    (comment,) = world.github.sent("POST /issues/7/comments")
    assert "within 30 days" in comment["body"]
    assert world.github.sent("PATCH /pulls/7") == [{"state": "closed"}]
    assert world.updates() == []  # The services repository ends the run.


@pytest.mark.parametrize("noted", [True, False])
def test_ended_pull_request_is_reported_without_a_workflow(world: World, noted: bool) -> None:
    world.run()
    fields: dict[str, Any] = {"pr_number": 7} if noted else {}
    world.seen(**fields)
    world.pull("closed")

    sweep(60)

    (update,) = world.updates()
    assert (update["status"], update["statusLabel"]) == ("FAILURE", "Closed")
    assert world.row()["outcome"]
    assert world.holder() is None


def test_pull_request_that_just_ended_is_left_to_the_workflow(world: World) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("merged", ended=ago(minutes=29))

    sweep(60)

    assert world.updates() == []
    assert world.holder() == RUN_ID


def test_another_pull_request_of_the_branch_is_not_reported(world: World) -> None:
    world.run()
    world.seen(pr_number=6)
    world.pull("merged")

    with pytest.raises(SweepIncomplete, match="is #6, not #7"):
        sweep(60)

    assert world.updates() == []


def test_pull_request_of_a_fork_is_not_reported(world: World) -> None:
    world.run()
    world.seen(pr_number=7)
    world.pull("merged")
    (pull,) = world.github.answers["GET /repos/acme/services/pulls/7"]
    fork = {**pull[1]["head"], "repo": {"id": 8}}
    world.github.script("GET /pulls/7", (200, {**pull[1], "head": fork}, {}))

    with pytest.raises(SweepIncomplete, match="comes from another repository"):
        sweep(60)

    assert world.updates() == []


# -- branches


def leave(world: World, state: str, branch: str = "slipway/roll_back/x-1") -> str:
    """Leave a branch whose pull request has a state; return the route that deletes it."""
    route = f"DELETE /git/refs/heads/{branch}"
    world.pull(state)
    (pull,) = world.github.answers["GET /repos/acme/services/pulls"][-1][1]
    world.github.script("GET /pulls", (200, [], {}), (200, [pull], {}))
    world.github.script(BRANCHES, (200, [{"ref": f"refs/heads/{branch}"}], {}))
    world.github.script(route, (204, None, {}))
    return route


@pytest.mark.parametrize("state", ["closed", "merged"])
def test_branch_of_a_finished_pull_request_is_deleted(world: World, state: str) -> None:
    route = leave(world, state)

    sweep(60)

    assert world.github.count(route) == 1


def test_branch_of_an_open_pull_request_stays(world: World) -> None:
    route = leave(world, "open")

    sweep(60)

    assert world.github.count(route) == 0


def test_branch_without_a_pull_request_stays(world: World) -> None:
    route = leave(world, "closed")
    world.github.script("GET /pulls", (200, [], {}))

    sweep(60)

    assert world.github.count(route) == 0


def test_branch_that_cannot_be_deleted_is_named(world: World) -> None:
    route = leave(world, "closed")
    world.github.script(route, (403, {"message": "Resource not accessible"}, {}))

    with pytest.raises(SweepIncomplete, match="slipway/roll_back/x-1: GitHub answered 403"):
        sweep(60)
