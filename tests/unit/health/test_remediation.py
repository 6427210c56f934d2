from datetime import timedelta

import pytest
from slipway.health.finding import Finding
from slipway.health.policy import Restart, RollBack, ScaleUp
from slipway.health.remediation import merges, next_step
from slipway.health.state import (
    CoolDown,
    Escalate,
    Healthy,
    Leave,
    LockOwner,
    Off,
    Outcome,
    Probe,
    Repair,
    Review,
    Reviewed,
    State,
    Unknown,
    Wait,
)

from tests.unit.health.story import (
    BEGIN,
    HEALTHY,
    REFUSED,
    UNHEALTHY,
    URL,
    Story,
    make_policy,
    make_reviewed,
    make_state,
    unhealthy_until,
)

SECOND = timedelta(seconds=1)


# -- probes


def test_degraded_service_that_answers_is_corrected_to_healthy() -> None:
    story = Story(make_state(), make_policy(), look=lambda _story: HEALTHY)

    assert story.run() == Healthy(reason="Reported as Degraded, but its health check passes.")
    assert [step.step for step in story.steps] == ["verify", "wait", "verify", "healthy"]
    assert story.repairs == []


def test_completed_deployment_is_healthy_and_synced() -> None:
    # Unhealthy during its start, which the start-up window allows.
    story = Story(
        make_state(found="Progressing", status="Progressing"),
        make_policy(),
        look=lambda story: HEALTHY if story.now >= BEGIN + 2 * SECOND else UNHEALTHY,
    )

    end = story.run()

    assert isinstance(end, Healthy)
    assert end.synced
    assert story.repairs == []


def test_refused_probe_ends_as_unknown_at_once() -> None:
    story = Story(make_state(), make_policy(), look=lambda _story: REFUSED)

    assert story.run() == Unknown(reason=REFUSED.sentence)
    assert len(story.steps) == 2


def test_next_probe_waits_for_its_interval() -> None:
    state = make_state().observed(UNHEALTHY, BEGIN)

    assert next_step(state, make_policy(), BEGIN) == Wait(
        until=BEGIN + SECOND, reason=UNHEALTHY.sentence
    )
    assert isinstance(next_step(state, make_policy(), BEGIN + SECOND), Probe)


# -- repairs


@pytest.mark.parametrize(
    ("cure", "kinds"),
    [
        ("restart", ["restart"]),
        ("roll_back", ["restart", "roll_back"]),
        ("scale_up", ["restart", "roll_back", "scale_up"]),
    ],
)
def test_strategies_are_tried_in_order_until_one_helps(cure: str, kinds: list[str]) -> None:
    story = Story(make_state(), make_policy(), look=unhealthy_until(cure))

    end = story.run()

    assert isinstance(end, Healthy)
    assert end.repaired_by == cure
    assert story.kinds == kinds
    assert "recheck" in [step.step for step in story.steps]


def test_remediation_escalates_after_every_attempt_fails() -> None:
    policy = make_policy(
        strategies=[
            {"kind": "restart", "attempts": 2, "wait_seconds": 5},
            {"kind": "scale_up", "attempts": 2, "step": 3, "max_replicas": 6},
            {"kind": "roll_back"},
        ]
    )
    story = Story(make_state(), policy, look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert end.notify
    assert UNHEALTHY.sentence in end.reason
    assert "restart: tried 2 of 2 times" in end.reason
    assert story.kinds == ["restart", "restart", "scale_up", "scale_up", "roll_back"]
    assert [repair.attempt for _, repair in story.repairs] == [1, 2, 1, 2, 1]
    # The files still have two replicas: the machine reads them again, this story does not.
    assert [repair.replicas for _, repair in story.repairs[2:4]] == [5, 5]


def test_remediation_waits_before_it_probes_after_a_repair() -> None:
    policy = make_policy(strategies=[Restart(wait_seconds=60)])
    story = Story(make_state(), policy, look=unhealthy_until("restart"))

    story.run()

    position = [step.step for step in story.steps].index("restart")
    waiting, looking = story.steps[position + 1 : position + 3]
    ended_at = story.state.attempts[0].ended_at
    assert isinstance(waiting, Wait)
    assert ended_at is not None
    assert waiting.until == ended_at + timedelta(seconds=60)
    assert looking.step == "recheck"


def test_crashed_repair_is_repeated_unchanged() -> None:
    state = make_state().observed(UNHEALTHY, BEGIN).observed(UNHEALTHY, BEGIN + SECOND)
    repair = next_step(state, make_policy(), BEGIN + SECOND)
    assert isinstance(repair, Repair)

    begun = state.began(repair, BEGIN + SECOND)

    assert next_step(begun, make_policy(), BEGIN + 500 * SECOND) == repair
    assert begun.began(repair, BEGIN + 2 * SECOND) == begun


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_next_strategy_follows_at_once_after_a_skipped_repair(
    outcome: Outcome,
) -> None:
    def do(_story: Story, repair: Repair) -> Outcome:
        return outcome if repair.step == "restart" else "done"

    story = Story(make_state(), make_policy(), look=unhealthy_until("roll_back"), do=do)

    assert isinstance(story.run(), Healthy)
    steps = [step.step for step in story.steps]
    assert steps.index("roll_back") == steps.index("restart") + 1


def test_skipped_strategy_is_not_tried_again() -> None:
    policy = make_policy(strategies=[RollBack(attempts=5)])
    story = Story(make_state(), policy, look=lambda _s: UNHEALTHY, do=lambda _s, _r: "skipped")

    end = story.run()

    assert story.kinds == ["roll_back"]
    assert "roll back: As asked" in end.reason


def test_reason_of_a_skip_continues_the_sentence() -> None:
    policy = make_policy(strategies=[RollBack()])
    why = "It has not been changed since it was created."
    story = Story(
        make_state(),
        policy,
        look=lambda _s: UNHEALTHY,
        do=lambda s, r: s.state.began(r, s.now).ended("skipped", s.now, detail=why),
    )

    end = story.run()

    assert "roll back: it has not been changed since it was created" in end.reason


def test_remediation_escalates_when_a_person_must_merge() -> None:
    def do(story: Story, repair: Repair) -> Outcome:
        return "proposed" if repair.step == "roll_back" else "done"

    story = Story(make_state(), make_policy(), look=lambda _story: UNHEALTHY, do=do)

    end = story.run()

    assert isinstance(end, Escalate)
    assert "roll back waits for a person to merge it" in end.reason
    assert story.kinds == ["restart", "roll_back"]


@pytest.mark.parametrize(
    ("replicas", "why"),
    [(None, "Nothing is certain"), (10, "limit of 10 replicas"), (50, "limit of 10")],
)
def test_scale_up_is_skipped_when_replicas_cannot_increase(replicas: int | None, why: str) -> None:
    policy = make_policy(strategies=[ScaleUp(max_replicas=10)])
    files = make_reviewed(
        environment="Test", replicas=replicas, replicas_fault="Nothing is certain."
    )
    story = Story(make_state(reviewed=files), policy, look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert why in end.reason
    assert story.repairs == []


# -- obstacles to a repair


def test_only_restart_is_tried_when_the_service_is_locked() -> None:
    def do(story: Story, repair: Repair) -> Outcome | State:
        if repair.step == "restart":
            return "done"
        return story.state.blocked(LockOwner(owner="r_0123456789abcdef", pr_number=12))

    story = Story(make_state(), make_policy(), look=lambda _story: UNHEALTHY, do=do)

    end = story.run()

    assert isinstance(end, Escalate)
    assert "pull request #12" in end.reason
    assert "r_0123456789abcdef" in end.reason
    assert story.kinds == ["restart"]
    assert [step.step for step in story.steps].count("roll_back") == 1
    assert "scale_up" not in [step.step for step in story.steps]


def test_remediation_does_nothing_when_switched_off() -> None:
    assert isinstance(next_step(make_state(), make_policy(mode="off"), BEGIN), Off)


def test_remediation_escalates_without_repair_in_verify_mode() -> None:
    story = Story(make_state(), make_policy(mode="verify"), look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert "does not repair" in end.reason
    assert story.repairs == []


def test_pending_repair_is_not_repeated_when_switched_off() -> None:
    repair = Repair(step="restart", attempt=1, reason="Restarted.")
    state = make_state().observed(UNHEALTHY, BEGIN).observed(UNHEALTHY, BEGIN).began(repair, BEGIN)

    assert isinstance(next_step(state, make_policy(mode="off"), BEGIN), Off)
    assert isinstance(next_step(state, make_policy(mode="verify"), BEGIN), Escalate)


@pytest.mark.parametrize("environment", ["Production", "Prod", "", None])
def test_remediation_escalates_in_an_unlisted_environment(
    environment: str | None,
) -> None:
    story = Story(make_state(environment=environment), make_policy(), look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert "Slipway does not repair" in end.reason
    assert story.repairs == []


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (make_reviewed(environment="Production"), "Test, but its metadata file has Production"),
        (make_reviewed(environment="Staging"), "Test, but its metadata file has Staging"),
        (make_reviewed(fault="It has no folder."), "does not repair it. It has no folder."),
    ],
)
def test_remediation_escalates_when_the_files_disagree(files: Reviewed, why: str) -> None:
    story = Story(make_state(reviewed=files), make_policy(), look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert why in end.reason
    assert story.repairs == []


def test_environment_is_read_from_files_when_port_has_none() -> None:
    state = make_state(environment=None, reviewed=make_reviewed(environment="Test"))
    story = Story(state, make_policy(), look=unhealthy_until("restart"))

    assert isinstance(story.run(), Healthy)


@pytest.mark.parametrize("url", ["https://evil.example/health", "http://my-service.test/", None])
def test_remediation_escalates_when_the_url_matches_no_pattern(url: str | None) -> None:
    story = Story(make_state(health_url=url), make_policy(), look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert "does not match `health.allowed`" in end.reason
    assert story.repairs == []


def test_findings_of_another_url_do_not_count() -> None:
    other = UNHEALTHY.model_copy(update={"url": "https://other.test/"})
    state = make_state().observed(other, BEGIN).observed(other, BEGIN)

    assert isinstance(next_step(state, make_policy(), BEGIN + SECOND), Probe)


def test_url_changes_do_not_extend_the_window() -> None:
    def look(story: Story) -> Finding:
        url = f"https://{len(story.state.observations)}.test/"
        story.state = story.state.reread("Degraded", "Test", url)
        return UNHEALTHY

    story = Story(make_state(), make_policy(), look=look)

    end = story.run()

    assert isinstance(end, Unknown)
    assert "was changed while" in end.reason
    assert len(story.state.observations) == 3


def test_service_is_reviewed_before_a_repair() -> None:
    state = make_state().observed(UNHEALTHY, BEGIN).observed(UNHEALTHY, BEGIN)
    unread = state.reread("Degraded", "Test", URL)

    assert next_step(unread, make_policy(), BEGIN) == Review(reason=UNHEALTHY.sentence)
    assert isinstance(next_step(unread, make_policy(mode="verify"), BEGIN), Escalate)


def test_pending_repair_is_dropped_when_the_files_forbid_it() -> None:
    repair = Repair(step="restart", attempt=1, reason="Restarted.")
    state = make_state().observed(UNHEALTHY, BEGIN).observed(UNHEALTHY, BEGIN).began(repair, BEGIN)
    moved = state.model_copy(update={"reviewed": make_reviewed(environment="Production")})

    assert isinstance(next_step(moved, make_policy(), BEGIN), Escalate)


@pytest.mark.parametrize(
    ("strategy", "environment", "merged"),
    [
        (ScaleUp(), "Test", True),
        (ScaleUp(), "Production", False),
        (RollBack(auto_merge=True), "Test", True),
        (RollBack(auto_merge=True), "Production", False),
        (RollBack(), "Test", False),
    ],
)
def test_repair_is_merged_when_the_policy_allows_it(
    strategy: ScaleUp | RollBack, environment: str, merged: bool
) -> None:
    policy = make_policy(strategies=[strategy], auto_merge_environments=["Test"])

    assert merges(strategy.kind, make_state(environment=environment), policy) is merged


@pytest.mark.parametrize("status", ["Healthy", "Pending", "Suspended", "Missing", "Unknown", None])
def test_remediation_stops_when_the_status_was_changed_elsewhere(status: str | None) -> None:
    state = make_state().observed(UNHEALTHY, BEGIN).reread(status, "Test", None)

    assert isinstance(next_step(state, make_policy(), BEGIN), Leave)


APPROVAL = make_policy(environments=["Production"], approval_environments=["Production"])


def test_approved_remediation_probes_again_before_it_repairs() -> None:
    story = Story(make_state(environment="Production"), APPROVAL, look=unhealthy_until("restart"))

    assert isinstance(story.run(), Healthy)
    steps = [step.step for step in story.steps]
    asked = steps.index("approval_needed")
    assert "restart" not in steps[:asked]
    assert steps[asked + 1] == "verify"
    assert steps.count("approval_needed") == 1


def test_approved_remediation_ends_when_the_service_is_healthy() -> None:
    story = Story(
        make_state(environment="Production"),
        APPROVAL,
        look=lambda story: HEALTHY if story.state.decision else UNHEALTHY,
    )

    assert isinstance(story.run(), Healthy)
    assert story.repairs == []


def test_declined_remediation_escalates_and_names_the_approver() -> None:
    story = Story(make_state(environment="Production"), APPROVAL, look=lambda _story: UNHEALTHY)
    story.decide = lambda _story: False

    end = story.run()

    assert isinstance(end, Escalate)
    assert "not approved. By a@b.c." in end.reason
    assert story.repairs == []


# -- cool-down


def earlier(*minutes: int) -> dict[str, object]:
    return {"interventions": tuple(BEGIN - timedelta(minutes=m) for m in minutes)}


def test_remediation_continues_after_the_hourly_limit_cools_down() -> None:
    state = make_state(**earlier(70, 50, 30, 10))
    story = Story(state, make_policy(max_per_hour=3), look=unhealthy_until("restart"))

    assert isinstance(story.run(), Healthy)
    (cool,) = [step for step in story.steps if isinstance(step, CoolDown)]
    assert cool.until == BEGIN + timedelta(minutes=10)
    assert cool.notify
    began, _ = story.repairs[0]
    assert began >= cool.until
    after = story.steps[story.steps.index(cool) + 1]
    assert after.step == "verify"


def test_remediation_is_not_cooled_down_by_its_own_repairs() -> None:
    def do(story: Story, repair: Repair) -> Outcome:
        # The table of interventions also contains this one.
        story.state = story.state.model_copy(
            update={"interventions": (*story.state.interventions, story.now)}
        )
        return "done"

    story = Story(
        make_state(**earlier(3, 2)), make_policy(), look=unhealthy_until("scale_up"), do=do
    )

    assert isinstance(story.run(), Healthy)
    assert not any(isinstance(step, CoolDown) for step in story.steps)


def test_correction_of_a_flapping_service_cools_down() -> None:
    story = Story(make_state(**earlier(3, 2, 1)), make_policy(), look=lambda _story: HEALTHY)

    assert isinstance(story.run(), Healthy)
    assert any(isinstance(step, CoolDown) for step in story.steps)


def test_completed_deployment_needs_no_cool_down() -> None:
    state = make_state(found="Progressing", **earlier(3, 2, 1))
    story = Story(state, make_policy(), look=lambda _story: HEALTHY)

    assert isinstance(story.run(), Healthy)
    assert not any(isinstance(step, CoolDown) for step in story.steps)


def test_escalation_is_not_repeated_within_the_quiet_time() -> None:
    state = make_state(escalations=(BEGIN - timedelta(minutes=5),), **earlier(3, 2, 1))
    story = Story(state, make_policy(), look=lambda _story: UNHEALTHY)

    end = story.run()

    (cool,) = [step for step in story.steps if isinstance(step, CoolDown)]
    assert not cool.notify
    assert isinstance(end, Escalate)
    assert not end.notify


def test_escalation_is_silent_when_the_cool_down_was_announced() -> None:
    story = Story(make_state(**earlier(3, 2, 1)), make_policy(), look=lambda _story: UNHEALTHY)

    end = story.run()

    assert isinstance(end, Escalate)
    assert not end.notify


def test_second_execution_waits_for_the_rest_of_the_cool_down() -> None:
    cooled = make_state(cooled_until=BEGIN + 60 * SECOND, **earlier(3, 2, 1))

    step = next_step(cooled, make_policy(), BEGIN)

    assert step == Wait(until=BEGIN + 60 * SECOND, reason="The service cools down.")


def test_stored_state_ignores_fields_of_a_later_release() -> None:
    stored = make_state().model_dump(mode="json") | {"later": 1}

    assert State.model_validate(stored) == make_state()
