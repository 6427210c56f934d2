"""The steps of the remediation machine, on moto's tables, bucket, topic and Step Functions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from slipway.errors import ConfigurationError, GitHubError, PortUnavailable, SlipwayError
from slipway.github.models import PullRequest
from slipway.github.repairs import Restart
from slipway.health.finding import Finding
from slipway.health.policy import Kind
from slipway.health.record import execution_name
from slipway.health.repairing import Repairer
from slipway.health.state import Attempt, Repair
from slipway.runs.ledger import Ledger

from tests.unit.conftest import RUN_ID, make_message
from tests.unit.health.remedy import (
    SERVICE,
    URL,
    World,
    executions,
    ill_until_restarted,
)
from tests.unit.health.story import BEGIN, ILL, REFUSED, WELL, make_state

FIRST, SECOND = execution_name(SERVICE, 1), execution_name(SERVICE, 2)
STATUS = "health_status"


# -- the ordinary ways


def test_given_a_deployment_that_comes_up_when_looked_at_then_it_is_healthy_and_synced(
    world: World,
) -> None:
    machine = world.fall_ill("Progressing")

    machine.run()

    assert (world.entity[STATUS], world.entity["sync_status"]) == ("Healthy", "Synced")
    assert world.entity["health_detail"] == "The service answers as it should."
    assert world.row.execution is None
    assert world.github.restarted == []


def test_given_a_service_said_to_be_degraded_that_answers_then_it_is_corrected_with_a_note(
    world: World,
) -> None:
    world.fall_ill().run()

    assert world.entity[STATUS] == "Healthy"
    assert "sync_status" not in world.entity
    assert "was said to be Degraded, but answers" in world.entity["health_detail"]
    assert len(world.row.interventions) == 1


def test_given_an_ill_service_when_restarted_then_it_is_healthy_and_says_by_what(
    world: World,
) -> None:
    world.look = ill_until_restarted(world)

    machine = world.fall_ill().run()

    assert world.entity[STATUS] == "Healthy"
    assert world.entity["health_detail"] == "The service answers again after: restart."
    assert world.github.restarted == [f"{FIRST}-1"]
    assert len(world.row.interventions) == 1
    assert machine.path.count("Repair") == 1
    assert world.alerts() == []


def test_given_settings_on_the_entity_when_probed_then_the_probe_is_told_them(
    world: World,
) -> None:
    world.entity.update(health_expected_status=204, health_json_path="a.b", health_json_value="ok")

    world.fall_ill().run()

    wanted = {"url": URL, "status": 204, "json_path": "a.b", "json_value": "ok"}
    assert world.probed == [wanted, wanted]


def test_given_all_that_was_written_then_each_write_has_an_id_of_its_own(world: World) -> None:
    world.look = ill_until_restarted(world)

    world.fall_ill().run()

    ids = [write["health_check_id"] for write in world.port.writes]
    assert len(set(ids)) == len(ids) > 2
    assert all(one.startswith(f"{FIRST}.") for one in ids)


def test_given_a_whole_story_when_its_writes_come_back_then_nothing_starts(world: World) -> None:
    world.look = lambda: ILL
    machine = world.fall_ill()
    records = []
    while machine.next != "Done":
        before = dict(world.entity)
        machine.advance()
        if world.entity != before:
            after, world.port.entities[SERVICE] = world.entity, before
            records.append(world.change(**after))

    world.deliver(*records)

    assert len(records) > 2
    assert list(executions()) == [FIRST]
    assert world.row.execution is None


# -- what nobody can look at


def test_given_no_health_url_when_looked_at_then_unknown_with_a_note_and_no_loop(
    world: World,
) -> None:
    world.entity["health_url"] = None

    machine = world.fall_ill().run()

    assert world.entity[STATUS] == "Unknown"
    assert "no health URL" in world.entity["health_detail"]
    assert machine.path == ["Decide", "Finish"]
    assert world.probed == []


def test_given_an_unsafe_url_when_probed_then_unknown_and_no_repair(world: World) -> None:
    world.look = lambda: REFUSED

    machine = world.fall_ill().run()

    assert world.entity[STATUS] == "Unknown"
    assert world.entity["health_detail"] == REFUSED.sentence
    assert machine.path == ["Decide", "Probe", "Finish"]
    assert world.github.restarted == []


def test_given_an_entity_that_is_gone_when_decided_then_done_and_the_service_is_let_go(
    world: World,
) -> None:
    machine = world.fall_ill()
    world.locks.take(SERVICE, FIRST, "remediation")
    del world.port.entities[SERVICE]

    machine.run()

    assert machine.path == ["Decide", "Finish"]
    assert world.row.execution is None
    assert world.holder() is None
    assert world.port.writes == []


@pytest.mark.parametrize("status", ["Suspended", "Missing", "Healthy", "Pending"])
def test_given_a_service_that_somebody_has_settled_when_probed_then_it_is_left_as_it_is(
    world: World, status: str
) -> None:
    machine = world.fall_ill().until("Probe")
    world.change(health_status=status)

    machine.run()

    assert world.entity[STATUS] == status
    assert world.port.writes == []


def test_given_a_policy_that_says_off_when_ill_then_nothing_is_probed_or_written(
    world: World,
) -> None:
    world.set_policy(mode="off")

    machine = world.fall_ill().run()

    assert (machine.path, world.port.writes, world.probed) == (["Decide", "Finish"], [], [])
    assert world.entity[STATUS] == "Degraded"


@pytest.mark.parametrize("state", ["Probe", "Wait", "Repair", "Finish"])
def test_given_a_remediation_at_work_when_switched_off_then_nothing_more_is_written(
    world: World, state: str
) -> None:
    world.look = lambda: ILL
    machine = world.fall_ill().until(state)
    written = len(world.port.writes)
    world.set_policy(mode="off")

    machine.run()

    assert len(world.port.writes) == written
    assert (world.github.restarted, world.github.issues) == (
        ([f"{FIRST}-1"], []) if state == "Finish" else ([], [])
    )


def test_given_a_policy_that_is_none_when_decided_then_it_says_what_to_correct(
    world: World,
) -> None:
    machine = world.fall_ill()
    boto3.client("s3").put_object(Bucket="records", Key="policy/remediation.json", Body=b"{}")

    with pytest.raises(ConfigurationError, match="Correct variable 'remediation'"):
        machine.advance()


# -- crashes and others at work


def test_given_a_probe_whose_finding_was_noted_when_noted_again_then_it_counts_once(
    world: World,
) -> None:
    machine = world.fall_ill().until("Probe")

    for _ in range(5):
        machine.advance(crash=True)

    assert len(world.row.state.observations) == 1


@pytest.mark.parametrize("crashes", [1, 3])
def test_given_every_step_is_repeated_then_the_story_is_the_same(
    world: World, crashes: int
) -> None:
    world.look = ill_until_restarted(world)
    machine = world.fall_ill()

    while machine.next != "Done":
        for _ in range(crashes):
            machine.advance(crash=True)
        machine.advance()

    assert world.entity["health_detail"] == "The service answers again after: restart."
    assert set(world.github.restarted) == {f"{FIRST}-1"}
    assert len(world.row.interventions) == 1
    assert world.row.execution is None


@pytest.mark.parametrize("step", ["decide", "repair", "finish", "anything"])
def test_given_another_execution_at_work_when_a_step_is_taken_then_done(
    world: World, step: str
) -> None:
    old = world.fall_ill().run()
    world.fall_ill()
    written = len(world.port.writes)

    assert old.take(step) == {"next": "Done"}
    assert len(world.port.writes) == written
    assert world.row.execution == SECOND


def test_given_a_service_without_a_row_when_a_step_is_taken_then_done(world: World) -> None:
    event = {"service": "never-seen", "execution": "e-1"}
    assert world.steps().take("decide", event) == {"next": "Done"}


def test_given_a_step_of_another_release_when_taken_then_it_is_refused(world: World) -> None:
    machine = world.fall_ill()

    with pytest.raises(SlipwayError, match="knows no step 'dance'"):
        machine.take("dance")


def test_given_a_service_that_is_taken_over_within_a_step_then_the_step_writes_no_state(
    world: World,
) -> None:
    machine = world.fall_ill()

    def take_over(operation: str) -> None:
        world.port.fail = lambda _operation: None
        world.store.update(
            SERVICE, lambda row: row.changed(execution=SECOND, number=2) if row else None
        )

    world.port.fail = take_over

    with pytest.raises(SlipwayError, match="taken the service over"):
        machine.advance()
    assert world.row.execution == SECOND


@pytest.mark.parametrize("operation", ["get_entity", "update_entity"])
def test_given_port_is_down_at_any_call_when_repeated_then_nothing_is_lost(
    world: World, operation: str
) -> None:
    world.look = lambda: ILL
    machine = world.fall_ill()
    failures = 0

    while machine.next != "Done":
        for nth in range(4):
            calls = 0

            def fail(called: str, nth: int = nth) -> None:
                nonlocal calls
                if called == operation:
                    calls += 1
                    if calls == nth + 1:
                        raise PortUnavailable("Port is down.")

            world.port.fail = fail
            try:
                machine.advance(crash=True)
            except PortUnavailable:
                failures += 1
            if world.row.execution != FIRST:
                break
        world.port.fail = lambda _operation: None
        machine.advance()

    assert failures > 5
    assert world.entity[STATUS] == "Degraded"
    assert "Nothing is left to try" in world.entity["health_detail"]
    assert len(set(world.github.issues)) == 1
    assert len(world.alerts()) == 1
    assert (len(world.row.interventions), len(world.row.escalations)) == (1, 1)
    assert world.row.execution is None


def test_given_a_correction_whose_last_call_failed_when_repeated_then_it_still_counts(
    world: World,
) -> None:
    machine = world.fall_ill().until("Finish")

    def fail_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity[STATUS] == "Healthy":
            raise PortUnavailable("Port is down.")

    world.port.fail = fail_after_the_report
    with pytest.raises(PortUnavailable):
        machine.advance()
    world.port.fail = lambda _operation: None
    machine.run()

    assert world.entity[STATUS] == "Healthy"
    assert len(world.row.interventions) == 1


# -- cool-down


def test_given_a_service_that_was_ill_too_often_then_it_cools_down_and_people_are_told_once(
    world: World,
) -> None:
    for _ in range(3):
        world.fall_ill().run()
        world.now += timedelta(minutes=5)

    machine = world.fall_ill().until("Wait", "Finish")
    while machine.answer.get("next") == "Wait" and "cools" not in world.entity["health_detail"]:
        machine.advance()
        machine.until("Wait", "Finish")

    assert machine.next == "Wait"
    assert machine.answer["until"] == "2026-11-23T11:00:01Z"
    assert world.entity[STATUS] == "Degraded"
    (told,) = world.alerts()
    assert "ill 3 times within an hour" in told

    machine.run()

    assert world.entity[STATUS] == "Healthy"
    assert world.alerts() == []


def test_given_a_cool_down_when_its_step_is_repeated_then_people_are_not_told_again(
    world: World,
) -> None:
    world.look = lambda: ILL
    world.set_policy(max_per_hour=1)
    world.fall_ill()
    world.store.update(
        SERVICE,
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
def test_given_a_run_that_holds_the_service_then_the_hand_over_names_its_pull_request(
    world: World, strategy: str
) -> None:
    world.set_policy(strategies=[{"kind": strategy}])
    world.look = lambda: ILL
    ledger = Ledger("runs")
    ledger.open(make_message(action="upscale_service", entity=SERVICE))
    ledger.record_pull_request(RUN_ID, SERVICE, 12, "https://github.test/pull/12")
    world.locks.take(SERVICE, RUN_ID)
    running(world)

    world.fall_ill().run()

    assert world.entity[STATUS] == "Degraded"
    assert (
        f"another change of the service is under way ({RUN_ID}, pull request #12)"
        in (world.entity["health_detail"])
    )
    assert world.holder() == RUN_ID
    assert world.row.state.attempts == ()
    assert len(world.alerts()) == 1


def running(world: World) -> None:
    run: Any = type("Run", (), {"ended": False})
    world.port.get_run = lambda run_id: run  # type: ignore[attr-defined]  # of locks alone


def test_given_a_run_that_holds_the_service_then_it_is_restarted_all_the_same(
    world: World,
) -> None:
    world.look = ill_until_restarted(world)
    world.locks.take(SERVICE, RUN_ID)

    world.fall_ill().run()

    assert world.entity[STATUS] == "Healthy"
    assert world.holder() == RUN_ID


def test_given_a_repair_that_needs_the_service_when_it_has_ended_then_the_lock_is_free(
    world: World,
) -> None:
    world.set_policy(strategies=[{"kind": "scale_up", "wait_seconds": 5}])
    world.look = lambda: WELL if world.row.state.attempts else ILL
    machine = world.fall_ill().until("Repair")
    now = datetime.now(UTC)
    pull = PullRequest(number=7, url="https://g/7", state="merged", head_sha="h", opened_at=now)
    world.github.pulls[f"slipway/scale_up/{FIRST}-1"] = pull

    machine.advance()

    assert world.holder() is None
    (attempt,) = world.row.state.attempts
    assert (attempt.outcome, attempt.detail) == ("done", "Merged as #7.")
    machine.run()
    assert world.entity[STATUS] == "Healthy"


def test_given_a_repair_under_way_when_its_lock_is_lost_then_the_next_strategy_is_its_own(
    world: World,
) -> None:
    strategies = [{"kind": "scale_up"}, {"kind": "restart", "wait_seconds": 5}]
    world.set_policy(strategies=strategies)
    world.look = ill_until_restarted(world)
    machine = world.fall_ill().until("Repair")
    world.github.fail_find = PortUnavailable("GitHub is down.")
    with pytest.raises(PortUnavailable):
        machine.advance()
    world.github.fail_find = None
    world.locks.release(SERVICE, FIRST)
    world.locks.take(SERVICE, RUN_ID)
    running(world)

    machine.run()

    assert [attempt.repair.step for attempt in world.row.state.attempts] == [
        "scale_up",
        "restart",
    ]
    assert world.github.restarted == [f"{FIRST}-1"]
    assert world.entity["health_detail"] == "The service answers again after: restart."


def test_given_a_repair_under_way_when_looked_at_again_then_it_is_one_attempt(
    world: World,
) -> None:
    queued = Restart(state="queued")
    world.github.restarts = [queued, queued, queued, Restart(state="succeeded", url="https://g/1")]
    world.look = lambda: WELL if world.row.state.last_done else ILL

    world.fall_ill().run()

    (attempt,) = world.row.state.attempts
    assert (attempt.outcome, attempt.link) == ("done", "https://g/1")
    assert world.github.restarted == [f"{FIRST}-1"] * 4
    assert sum("is restarted" in write["health_detail"] for write in world.port.writes) == 2


@pytest.mark.parametrize(
    "error",
    [
        GitHubError(404, "The services repository's workflow slipway-restart.yml was not found."),
        GitHubError(403, "GitHub answered 403 to: restart service."),
    ],
)
def test_given_github_refuses_a_repair_then_it_has_failed_and_the_next_strategy_is_tried(
    world: World, error: GitHubError
) -> None:
    world.set_policy(strategies=[{"kind": "restart"}, {"kind": "roll_back"}])
    world.look = lambda: ILL
    world.github.restarts = [error]

    world.fall_ill().run()

    outcomes = [(a.repair.step, a.outcome, a.detail) for a in world.row.state.attempts]
    assert outcomes == [
        ("restart", "failed", str(error)),
        ("roll_back", "skipped", "Nothing was ever changed."),
    ]
    assert str(error).rstrip(".") in world.entity["health_detail"]
    assert "Nothing was ever changed" in world.entity["health_detail"]


def test_given_a_restart_that_failed_then_githubs_word_is_said(world: World) -> None:
    world.look = lambda: ILL
    failed = Restart(state="failed", url="https://g/1", conclusion="timed_out")
    world.github.restarts = [failed]

    world.fall_ill().run()

    (attempt,) = world.row.state.attempts
    assert (
        attempt.detail == "The restart workflow did not succeed. GitHub's word for it: timed_out."
    )


def test_given_a_restart_that_never_ends_then_it_has_failed_after_a_quarter_of_an_hour(
    world: World,
) -> None:
    world.look = lambda: ILL
    world.github.restarts = [Restart(state="running", url="https://g/1")]
    machine = world.fall_ill().until("Repair")
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


@pytest.mark.parametrize("kind", ["restart", "roll_back", "scale_up"])
def test_given_an_identifier_that_is_no_service_of_the_repository_then_nothing_is_asked_of_github(
    kind: Kind,
) -> None:
    github: Any = None
    repair = Repair(step=kind, attempt=1, reason="r")

    result = Repairer("e-1", github, github, "https://port.test").carry_out(
        make_state(service="../My Service"), Attempt(repair=repair, began_at=BEGIN), BEGIN
    )

    assert result.outcome == "failed"
    assert result.detail == "Its identifier names no service of the services repository."


# -- approval


def test_given_an_environment_where_people_are_asked_then_nothing_is_repaired_before(
    world: World,
) -> None:
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = ill_until_restarted(world)

    machine = world.fall_ill().until("Ask")

    assert world.github.restarted == []
    assert "when somebody has agreed" in world.entity["health_detail"]

    machine.run()

    (asked,) = world.asked
    assert asked["service"] == SERVICE
    assert (asked["environment"], asked["strategies"]) == ("Test", ["restart"])
    assert "answered 503" in asked["reason"]
    assert world.entity[STATUS] == "Healthy"


def test_given_a_repair_that_is_not_approved_then_it_is_handed_over(world: World) -> None:
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = lambda: ILL
    world.decide = lambda: world.decision(granted=False)

    world.fall_ill().run()

    assert world.github.restarted == []
    assert "not approved. By lead@acme.example." in world.entity["health_detail"]
    assert len(world.asked) == 1


def test_given_a_decision_when_noted_again_then_the_first_one_stays(world: World) -> None:
    world.set_policy(environments=["Test"], approval_environments=["Test"])
    world.look = lambda: ILL
    machine = world.fall_ill().until("Ask")
    machine.advance()

    machine.take("decide", decision=world.decision(granted=False))

    assert world.row.state.decision is not None
    assert world.row.state.decision.granted


# -- hand-over


def test_given_a_service_that_stays_ill_then_it_is_handed_over_with_all_that_was_tried(
    world: World,
) -> None:
    world.look = lambda: ILL

    world.fall_ill().run()

    assert world.entity[STATUS] == "Degraded"
    ((body, comment),) = world.github.issues
    assert "The service is restarted" in body
    assert comment is not None
    (told,) = world.alerts()
    assert "my-service (Test) is ill." in told
    assert "Go on here: https://github.test/issues/9" in told
    assert len(world.row.escalations) == 1


def test_given_a_service_handed_over_not_long_ago_then_the_issue_is_brought_up_to_date_in_silence(
    world: World,
) -> None:
    world.look = lambda: ILL
    world.set_policy(quiet_seconds=3600, mode="verify")
    world.fall_ill().run()
    world.change(health_status="Healthy")
    world.alerts()
    world.now += timedelta(minutes=30)

    world.fall_ill().run()

    assert world.alerts() == []
    assert [comment is None for _, comment in world.github.issues] == [False, True]

    world.change(health_status="Healthy")
    world.now += timedelta(minutes=31)
    world.fall_ill().run()

    assert len(world.alerts()) == 1
    assert world.github.issues[-1][1] is not None


def test_given_github_refuses_the_issue_then_people_are_told_all_the_same(world: World) -> None:
    world.look = lambda: ILL
    world.github.refuses_issues = GitHubError(410, "GitHub answered 410: issues are disabled.")

    world.fall_ill().run()

    (told,) = world.alerts()
    assert f"https://app.port.test/serviceEntity?identifier={SERVICE}" in told
    assert world.entity[STATUS] == "Degraded"
    assert world.row.execution is None


# -- what comes meanwhile


def test_given_a_change_after_the_last_look_when_let_go_then_another_execution_looks_at_it(
    world: World,
) -> None:
    machine = world.fall_ill().until("Finish")

    def change_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity[STATUS] == "Healthy":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            world.deliver(world.change(health_status="Degraded"))

    world.port.fail = change_after_the_report
    machine.advance()

    assert set(executions()) == {FIRST, SECOND}
    assert (world.row.execution, world.row.started) == (SECOND, True)
    assert world.row.state.found == "Degraded"


def test_given_a_change_that_was_read_when_let_go_then_no_other_execution_starts(
    world: World,
) -> None:
    machine = world.fall_ill()
    world.now += timedelta(seconds=1)
    world.deliver(world.change(health_status="Progressing"))

    machine.run()

    assert list(executions()) == [FIRST]
    assert world.row.execution is None


def written_over(world: World) -> Any:
    """Slipway's last word comes just after somebody else's, which it did not see."""
    machine = world.fall_ill("Progressing").until("Finish")
    records: list[Any] = []

    def change_before_the_report(operation: str) -> None:
        if operation == "update_entity":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            records.append(world.change(health_status="Degraded"))
            world.now += timedelta(seconds=1)

    world.port.fail = change_before_the_report
    return machine, records


@pytest.mark.parametrize("early", [True, False])
def test_given_a_change_that_slipway_wrote_over_then_it_is_restored_and_looked_at(
    world: World, early: bool
) -> None:
    machine, records = written_over(world)
    before = world.port.fail

    def arrive(operation: str) -> None:
        if operation == "get_entity" and records and early:
            world.deliver(*records)
            records.clear()
        elif operation == "update_entity":
            before(operation)
            world.port.fail = arrive

    def both(operation: str) -> None:
        before(operation)
        arrive(operation)

    world.port.fail = both
    machine.advance()
    world.port.fail = lambda _operation: None
    assert world.entity[STATUS] == "Healthy"
    if not early:
        world.deliver(*records)
    world.look = ill_until_restarted(world)

    assert world.row.execution == SECOND
    second = world.machine()
    second.advance()

    assert world.entity[STATUS] == "Degraded"
    assert world.entity["health_check_id"].startswith(f"{SECOND}.")
    second.run()
    assert world.github.restarted == [f"{SECOND}-1"]
    assert world.entity["health_detail"] == "The service answers again after: restart."


def test_given_a_service_that_got_well_by_itself_when_looked_at_again_then_it_is_left(
    world: World,
) -> None:
    world.fall_ill().run()
    written = len(world.port.writes)
    world.now += timedelta(minutes=10)
    machine = world.fall_ill()
    world.now += timedelta(seconds=1)
    world.change(health_status="Healthy")

    machine.run()

    assert machine.path == ["Decide", "Finish"]
    assert len(world.port.writes) == written


def test_given_a_policy_that_says_off_when_written_over_then_it_is_not_restored(
    world: World,
) -> None:
    machine, records = written_over(world)
    machine.advance()
    world.deliver(*records)
    written = len(world.port.writes)
    world.set_policy(mode="off")

    world.machine().run()

    assert len(world.port.writes) == written


def test_given_a_crash_before_the_next_execution_is_started_when_repeated_then_it_is_started(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = world.fall_ill().until("Finish")

    def change_after_the_report(operation: str) -> None:
        if operation == "get_entity" and world.entity[STATUS] == "Healthy":
            world.port.fail = lambda _operation: None
            world.now += timedelta(seconds=1)
            monkeypatch.setattr("slipway.health.watch.launch", lambda *_arguments: None)
            world.deliver(world.change(health_status="Degraded"))

    def crash(*_arguments: Any) -> None:
        raise RuntimeError("out of time")

    world.port.fail = change_after_the_report
    with monkeypatch.context() as patched:
        patched.setattr("slipway.health.admission.start_execution", crash)
        with pytest.raises(RuntimeError):
            machine.advance()
    assert (world.row.execution, world.row.started) == (SECOND, False)

    assert machine.advance() == "Done"

    assert set(executions()) == {FIRST, SECOND}
    assert world.row.started


# -- metrics


def test_given_a_repair_when_it_has_helped_then_its_metrics_say_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.look = ill_until_restarted(world)

    world.fall_ill().run()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ended = [line for line in lines if "RepairEnded" in line]
    assert [(line["strategy"], line["outcome"]) for line in ended] == [("restart", "done")]
    assert [line["ending"] for line in lines if "RemediationEnded" in line] == ["healthy"]


def test_given_probes_that_disagree_then_the_verdict_waits_for_a_row_of_them(world: World) -> None:
    answers = [ILL, WELL, WELL]
    world.look = lambda: answers.pop(0)

    machine = world.fall_ill().run()

    assert machine.path.count("Probe") == 3
    assert world.entity[STATUS] == "Healthy"


def test_given_a_finding_when_noted_then_the_entity_says_it(world: World) -> None:
    said = Finding(state="ill", kind="status", sentence="The health URL answered 500, not a 2xx.")
    world.look = lambda: said

    world.fall_ill().until("Probe").advance()

    assert world.entity["health_detail"] == said.sentence
    assert world.entity["last_health_check"] == "2026-11-23T10:00:00Z"
    assert world.entity[STATUS] == "Degraded"
