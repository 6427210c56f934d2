"""Steps that repair, request approval, and escalate."""

from datetime import timedelta

import pytest
from slipway.errors import GitHubError, PortUnavailable
from slipway.health.row import execution_name
from slipway.runs.ledger import Ledger

from tests.fakes.repository import workflow_run
from tests.unit.conftest import RUN_ID, make_message
from tests.unit.health.remedy import (
    KEY,
    SERVICE,
    World,
    port_data,
    unhealthy_until_restarted,
)
from tests.unit.health.story import BEGIN, HEALTHY, UNHEALTHY

FIRST, SECOND = execution_name(KEY, 1), execution_name(KEY, 2)
STATUS = "health_status"


# -- cool-down


def test_cool_down_starts_and_notifies_once_at_the_hourly_limit(
    world: World,
) -> None:
    for _ in range(3):
        world.become_unhealthy().run()
        world.now += timedelta(minutes=5)

    machine = world.become_unhealthy().until("Wait", "Finish")
    while machine.answer.get("next") == "Wait" and "cools" not in world.entity["health_detail"]:
        machine.advance()
        machine.until("Wait", "Finish")

    assert machine.next == "Wait"
    assert machine.answer["until"] == "2026-11-23T11:00:01Z"
    assert world.entity[STATUS] == "Degraded"
    (alert,) = world.alerts()
    assert "unhealthy 3 times within an hour" in alert

    machine.run()

    assert world.entity[STATUS] == "Healthy"
    assert world.alerts() == []


def test_repeated_cool_down_step_does_not_notify_again(
    world: World,
) -> None:
    world.look = lambda: UNHEALTHY
    world.set_policy(max_per_hour=1)
    world.become_unhealthy()
    world.store.update(
        KEY,
        lambda row: (
            row.changed(state=row.state.model_copy(update={"interventions": (BEGIN,)}))
            if row
            else None
        ),
    )
    machine = world.machine()
    while "cools" not in world.entity.get("health_detail", ""):
        machine.advance()

    machine.take("decide")

    assert machine.next == "Wait"
    assert len(world.alerts()) == 1


# -- repairs


@pytest.mark.parametrize("strategy", ["roll_back", "scale_up"])
def test_escalation_names_the_pull_request_of_the_lock_owner(world: World, strategy: str) -> None:
    world.set_policy(strategies=[{"kind": strategy}])
    world.look = lambda: UNHEALTHY
    ledger = Ledger("runs")
    ledger.open(make_message(action="upscale_service", entity=SERVICE))
    ledger.record_pull_request(RUN_ID, 12, "https://github.test/pull/12")
    world.locks.acquire(KEY, RUN_ID)

    world.become_unhealthy().run()

    assert world.entity[STATUS] == "Degraded"
    assert (
        f"another change of the service is in progress ({RUN_ID}, pull request #12)"
        in (world.entity["health_detail"])
    )
    assert world.holder() == RUN_ID
    assert world.row.state.attempts == ()
    assert len(world.alerts()) == 1


def test_locked_service_is_restarted(
    world: World,
) -> None:
    world.look = unhealthy_until_restarted(world)
    world.locks.acquire(KEY, RUN_ID)

    world.become_unhealthy().run()

    assert world.entity[STATUS] == "Healthy"
    assert world.holder() == RUN_ID


def test_repair_frees_its_lock_when_it_ends(
    world: World,
) -> None:
    world.set_policy(strategies=[{"kind": "scale_up", "wait_seconds": 5}])
    world.look = lambda: HEALTHY if world.row.state.attempts else UNHEALTHY
    machine = world.become_unhealthy().until("Repair")
    world.github.put_pull(f"slipway/scale_up/{FIRST}-1", "merged")

    machine.advance()

    assert world.holder() is None
    (attempt,) = world.row.state.attempts
    assert (attempt.outcome, attempt.detail) == ("done", "Merged as #7.")
    machine.run()
    assert world.entity[STATUS] == "Healthy"


def test_next_strategy_runs_when_a_repair_loses_its_lock(
    world: World,
) -> None:
    strategies = [{"kind": "scale_up"}, {"kind": "restart", "wait_seconds": 5}]
    world.set_policy(strategies=strategies)
    world.look = unhealthy_until_restarted(world)
    machine = world.become_unhealthy().until("Repair")
    world.github.fail_find = PortUnavailable("GitHub is down.")
    with pytest.raises(PortUnavailable):
        machine.advance()
    world.github.fail_find = None
    world.locks.release(KEY, FIRST)
    world.locks.acquire(KEY, RUN_ID)

    machine.run()

    assert [attempt.repair.step for attempt in world.row.state.attempts] == [
        "scale_up",
        "restart",
    ]
    assert world.github.restarted == [f"{FIRST}-1"]
    assert world.entity["health_detail"] == "The service answers again after: restart."


def test_pending_repair_is_one_attempt_when_checked_again(
    world: World,
) -> None:
    queued = workflow_run("queued")
    world.github.restarts = [queued, queued, queued, workflow_run("succeeded", url="https://g/1")]
    world.look = lambda: HEALTHY if world.row.state.last_done else UNHEALTHY

    world.become_unhealthy().run()

    (attempt,) = world.row.state.attempts
    assert (attempt.outcome, attempt.link) == ("done", "https://g/1")
    assert world.github.restarted == [f"{FIRST}-1"]
    assert sum("restarts the service" in write["health_detail"] for write in world.port.writes) == 2


@pytest.mark.parametrize(
    "error",
    [
        GitHubError(404, "The services repository's workflow slipway-restart.yml was not found."),
        GitHubError(403, "GitHub answered 403 to: restart service."),
    ],
)
def test_next_strategy_runs_when_github_refuses_a_repair(world: World, error: GitHubError) -> None:
    world.set_policy(strategies=[{"kind": "restart"}, {"kind": "roll_back"}])
    world.look = lambda: UNHEALTHY
    world.github.restarts = [error]

    world.become_unhealthy().run()

    outcomes = [(a.repair.step, a.outcome, a.detail) for a in world.row.state.attempts]
    assert outcomes == [
        ("restart", "failed", str(error)),
        ("roll_back", "skipped", "Nothing was ever changed."),
    ]
    assert str(error).rstrip(".").lower() in world.entity["health_detail"].lower()
    assert "Nothing was ever changed" in world.entity["health_detail"]


def test_failed_restart_shows_the_conclusion_from_github(world: World) -> None:
    world.look = lambda: UNHEALTHY
    failed = workflow_run("failed", url="https://g/1", conclusion="timed_out")
    world.github.restarts = [failed]

    world.become_unhealthy().run()

    (attempt,) = world.row.state.attempts
    assert attempt.detail == "The restart workflow did not succeed. GitHub's conclusion: timed_out."


def test_endless_restart_fails_after_15_minutes(
    world: World,
) -> None:
    world.look = lambda: UNHEALTHY
    world.github.restarts = [workflow_run("running", url="https://g/1")]
    machine = world.become_unhealthy().until("Repair")
    machine.advance()
    world.now += timedelta(minutes=14)
    machine.until("Repair").advance()
    assert machine.next == "Wait"
    world.now += timedelta(minutes=1)

    machine.run()

    (attempt,) = world.row.state.attempts
    assert (attempt.outcome, attempt.link) == ("failed", "https://g/1")
    assert attempt.ended_at is not None
    assert timedelta(minutes=15) <= attempt.ended_at - attempt.began_at < timedelta(minutes=16)


def test_restart_receives_namespace_and_reviewed_environment(world: World) -> None:
    world.github.folder["portData.json"] = port_data(environment="Staging")
    world.entity["environment"] = "Staging"
    world.look = unhealthy_until_restarted(world)

    world.become_unhealthy().run()

    (target,) = world.github.targets
    assert (target["service"], target["namespace"]) == (SERVICE, SERVICE)
    assert target["environment"] == "Staging"


@pytest.mark.parametrize("folder", [{}, {"portData.json": "{"}])
def test_remediation_escalates_when_the_files_are_missing(
    world: World, folder: dict[str, str]
) -> None:
    world.github.folder = folder
    world.look = lambda: UNHEALTHY

    world.become_unhealthy().run()

    assert world.row.state.attempts == ()
    assert "Slipway does not repair it." in world.entity["health_detail"]


# -- approval


def test_repair_waits_for_approval_where_the_policy_requires_it(
    world: World,
) -> None:
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = unhealthy_until_restarted(world)

    machine = world.become_unhealthy().until("Ask")

    assert world.github.restarted == []
    assert "need an approval" in world.entity["health_detail"]

    machine.run()

    (asked,) = world.asked
    assert asked["service"] == KEY
    assert (asked["environment"], asked["strategies"]) == ("Test", ["restart"])
    assert "answered 503" in asked["reason"]
    assert world.entity[STATUS] == "Healthy"


def test_remediation_escalates_when_its_repair_is_declined(world: World) -> None:
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = lambda: UNHEALTHY
    world.decide = lambda: world.decision(granted=False)

    world.become_unhealthy().run()

    assert world.github.restarted == []
    assert "not approved. By lead@acme.example." in world.entity["health_detail"]
    assert len(world.asked) == 1


def test_first_decision_stays_when_another_is_recorded(world: World) -> None:
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = lambda: UNHEALTHY
    machine = world.become_unhealthy().until("Ask")
    machine.advance()

    machine.take("decide", decision=world.decision(granted=False))

    assert world.row.state.decision is not None
    assert world.row.state.decision.granted


# -- escalation


def test_escalation_lists_every_attempt(
    world: World,
) -> None:
    world.look = lambda: UNHEALTHY

    world.become_unhealthy().run()

    assert world.entity[STATUS] == "Degraded"
    ((body, comment),) = world.github.issues
    assert "Slipway restarts the service" in body
    assert comment is not None
    (alert,) = world.alerts()
    assert "my-service (Test) is unhealthy." in alert
    assert "Details: https://github.test/issues/9" in alert
    assert len(world.row.escalations) == 1


def test_recent_escalation_updates_its_issue_silently(
    world: World,
) -> None:
    world.look = lambda: UNHEALTHY
    world.set_policy(quiet_seconds=3600, mode="verify")
    world.become_unhealthy().run()
    world.change(health_status="Healthy")
    world.alerts()
    world.now += timedelta(minutes=30)

    world.become_unhealthy().run()

    assert world.alerts() == []
    assert [comment is None for _, comment in world.github.issues] == [False, True]

    world.change(health_status="Healthy")
    world.now += timedelta(minutes=31)
    world.become_unhealthy().run()

    assert len(world.alerts()) == 1
    assert world.github.issues[-1][1] is not None


def test_escalation_alerts_when_github_refuses_the_issue(world: World) -> None:
    world.look = lambda: UNHEALTHY
    world.github.refuses_issues = GitHubError(410, "GitHub answered 410: issues are disabled.")

    world.become_unhealthy().run()

    (alert,) = world.alerts()
    assert f"https://app.port.test/serviceEntity?identifier={SERVICE}" in alert
    assert world.entity[STATUS] == "Degraded"
    assert world.row.execution is None
