"""A remediation always ends, and never does what its policy does not allow."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.health.assessment import Window
from slipway.health.finding import Finding
from slipway.health.policy import Policy, Restart, RollBack, ScaleUp
from slipway.health.report import entity_properties, timeline_lines, timeline_markdown
from slipway.health.state import (
    CoolDown,
    Escalate,
    Healthy,
    LockOwner,
    Outcome,
    Repair,
    State,
)

from tests.unit.health.story import (
    BEGIN,
    HEALTHY,
    REFUSED,
    UNHEALTHY,
    URL,
    Story,
    make_reviewed,
    make_state,
)

HOUR = timedelta(hours=1)
ENVIRONMENTS = ["Test", "Staging", "Production"]
attempts = st.integers(1, 3)
waits = st.integers(5, 1800)
windows = st.builds(
    lambda probes, healthy, unhealthy, interval: Window(
        probes=probes,
        healthy_after=min(healthy, probes),
        unhealthy_after=min(unhealthy, probes),
        interval_seconds=interval,
    ),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 600),
)
strategies = st.tuples(
    st.builds(Restart, attempts=attempts, wait_seconds=waits),
    st.builds(RollBack, attempts=attempts, wait_seconds=waits, auto_merge=st.booleans()),
    st.builds(ScaleUp, attempts=attempts, wait_seconds=waits, max_replicas=st.integers(1, 5)),
).flatmap(lambda all_of_them: st.lists(st.sampled_from(all_of_them), unique_by=type))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw any valid policy."""
    environments = draw(st.frozensets(st.sampled_from(ENVIRONMENTS)))
    asked = draw(st.frozensets(st.sampled_from(sorted(environments)))) if environments else set()
    return Policy.model_validate(
        {
            "schema_version": 1,
            "mode": draw(st.sampled_from(["repair", "repair", "repair", "verify", "off"])),
            "strategies": draw(strategies),
            "environments": environments,
            "auto_merge_environments": draw(st.frozensets(st.sampled_from(ENVIRONMENTS))),
            "approval_environments": asked,
            "max_per_hour": draw(st.integers(1, 3)),
            "quiet_seconds": draw(st.integers(5, 20_000)),
            "verify": draw(windows),
            "settle": draw(windows),
        }
    )


def play(policy: Policy, data: st.DataObject, **known: Any) -> Story:
    """Play a remediation with drawn findings, outcomes, locks and decisions."""

    def look(story: Story) -> Finding:
        if data.draw(st.integers(0, 19)) == 0:
            # Another writer changes the entity at the same time.
            story.state = story.state.reread(
                data.draw(st.sampled_from(["Degraded", "Progressing", "Healthy", None])),
                data.draw(st.sampled_from([*ENVIRONMENTS, None])),
                data.draw(st.sampled_from([URL, URL, "https://evil.example/"])),
            )
            story.files = data.draw(files)
        return data.draw(st.sampled_from([HEALTHY, UNHEALTHY, UNHEALTHY, UNHEALTHY, REFUSED]))

    def do(story: Story, repair: Repair) -> Outcome | State:
        if repair.step != "restart" and data.draw(st.integers(0, 3)) == 0:
            return story.state.blocked(LockOwner(owner="r_1", pr_number=12))
        return data.draw(st.sampled_from(["done", "done", "failed", "skipped", "proposed"]))

    story = Story(make_state(**known), policy, look=look, do=do)
    story.decide = lambda _story: data.draw(st.booleans())
    return story


def bound(policy: Policy) -> int:
    """Return the maximum number of steps of a remediation."""
    tries = sum(strategy.attempts for strategy in policy.strategies)
    phases = 1 + tries + 2  # one for each repair, one for a cool-down, one for an approval
    probes = max(policy.verify.probes, policy.settle.probes)
    # A wait and a read of the files may follow each probe.
    return phases * (3 * probes + 2) + 2 * tries + 4


files = st.builds(
    make_reviewed,
    environment=st.sampled_from([*ENVIRONMENTS, None]),
    replicas=st.none() | st.integers(0, 8),
)
starts = st.fixed_dictionaries(
    {
        "environment": st.sampled_from([*ENVIRONMENTS, None]),
        "found": st.sampled_from(["Degraded", "Progressing"]),
        "reviewed": files,
        "interventions": st.lists(
            st.integers(0, 7200).map(lambda s: BEGIN - timedelta(seconds=s)), max_size=6
        ).map(tuple),
    }
)


@given(policy=policies(), start=starts, data=st.data())
@settings(max_examples=200)
def test_remediation_stays_within_its_bounds_and_policy(
    policy: Policy, start: dict[str, Any], data: st.DataObject
) -> None:
    story = play(policy, data, **start)
    asked_for = {strategy.kind: strategy for strategy in policy.strategies}

    end = story.run(bound(policy))

    for kind in ("restart", "roll_back", "scale_up"):
        most = asked_for[kind].attempts if kind in asked_for else 0
        assert story.kinds.count(kind) <= most
    if policy.mode != "repair":
        assert story.repairs == []
    if policy.mode == "off":
        assert end.step == "off"
        assert len(story.steps) == 1
    for _, repair in story.repairs:
        if repair.step == "scale_up":
            scale = asked_for["scale_up"]
            assert isinstance(scale, ScaleUp)
            assert repair.replicas is not None
            assert repair.replicas <= scale.max_replicas
    assert timeline_lines(story.state, end, story.now)
    assert timeline_markdown(story.state, end, story.now)
    properties = entity_properties(end, "h1", story.now)
    assert not properties or properties["health_check_id"] == "h1"


@given(policy=policies(), start=starts, data=st.data())
@settings(max_examples=200)
def test_repair_needs_an_allowed_and_approved_environment(
    policy: Policy, start: dict[str, Any], data: st.DataObject
) -> None:
    story = play(policy, data, **start)
    began: list[tuple[str | None, bool]] = []
    do = story.do

    def watched(story: Story, repair: Repair) -> Outcome | State:
        decision = story.state.decision
        reviewed = story.state.reviewed
        assert reviewed is not None
        assert story.state.environment in {None, reviewed.environment}
        assert story.state.health_url == URL
        began.append((reviewed.environment, decision is not None and decision.granted))
        return do(story, repair)

    story.do = watched
    story.run(bound(policy))

    for environment, _ in began:
        assert environment in policy.environments
    for environment, granted in began:
        assert granted or environment not in policy.approval_environments


@given(policy=policies(), data=st.data())
@settings(max_examples=60)
def test_flapping_service_stays_within_the_hourly_limit(
    policy: Policy, data: st.DataObject
) -> None:
    interventions: list[Any] = []
    told: list[Any] = []
    now = BEGIN
    for _ in range(8):
        state = make_state(
            started_at=now, interventions=tuple(interventions[-10:]), escalations=tuple(told[-10:])
        )
        story = play(policy, data)
        story.state, story.now = state, now
        end = story.run(bound(policy))
        if story.repairs:
            interventions.append(story.repairs[0][0])
        elif isinstance(end, Healthy) and not end.synced:
            interventions.append(story.now)
        told += [moment for moment in story.state.escalations if moment not in told]
        if isinstance(end, Escalate) and end.notify:
            told.append(story.now)
        now = story.now + timedelta(seconds=data.draw(st.integers(1, 1200)))

    for first in interventions:
        assert sum(first <= moment < first + HOUR for moment in interventions) <= (
            policy.max_per_hour
        )
    quiet = timedelta(seconds=policy.quiet_seconds)
    assert all(later - earlier >= quiet for earlier, later in pairwise(told))


@given(policy=policies(), start=starts, data=st.data())
@settings(max_examples=60)
def test_remediation_waits_for_at_most_one_cool_down(
    policy: Policy, start: dict[str, Any], data: st.DataObject
) -> None:
    story = play(policy, data, **start)
    story.run(bound(policy))

    cooled = [step for step in story.steps if isinstance(step, CoolDown)]
    assert len(cooled) <= 1
    assert all(step.until <= story.state.started_at + 3 * HOUR for step in cooled)
