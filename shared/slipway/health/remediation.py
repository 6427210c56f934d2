"""Decide the next step for a service that may be unhealthy. Pure.

The state machine calls `next_step`, runs the step, records the outcome in the `State` and calls
again, until a step is a `LastStep`. Nothing else is stored, so another execution can resume at any
point. The number of steps is limited: each probes once (at most `probes` times between two
repairs), waits for a probe, or uses up an attempt.
"""

from datetime import datetime, timedelta

from slipway.health.assessment import Window, assess
from slipway.health.finding import OWN_NETWORK, Finding, shown
from slipway.health.policy import NEEDS_LOCK, Kind, Policy, RollBack, ScaleUp, Strategy
from slipway.health.state import (
    UNHEALTHY,
    ApprovalNeeded,
    CoolDown,
    Escalate,
    Healthy,
    Leave,
    Off,
    Probe,
    Repair,
    Review,
    Reviewed,
    State,
    Step,
    Unknown,
    Wait,
)
from slipway.urls import matches_pattern

_HOUR = timedelta(hours=1)
LIMITED = (
    "It is not repaired now: Slipway has reached `remediation.max_repairs`, the limit of repairs "
    "within ten minutes over all services. This suggests a shared cause. Fix the cause, then "
    "set the health status to Progressing."
)
_CHANGED = (
    "The health URL was changed while it was probed. Set the health status to Progressing to "
    "check the service again."
)
NAMES: dict[Kind, str] = {
    "restart": "restart",
    "roll_back": "roll back",
    "scale_up": "scale up",
}


def next_step(state: State, policy: Policy, now: datetime) -> Step:
    """Decide on the next step.

    Args:
        state: the state, with the current entity.
        policy: the current policy, so that a stricter one applies at once.
        now: the time, in UTC.
    """
    if policy.mode == "off":
        return Off(reason="Remediation is switched off by the policy.")
    if state.status is None:
        return Leave(reason="The entity is gone.")
    if state.status not in UNHEALTHY:
        return Leave(
            reason=f"The service is {state.status} now: another user or system settled it."
        )
    if state.pending is not None:
        if state.reviewed is None:
            return Review(reason=state.pending.repair.reason)
        if _may_go_on(state, policy):
            return state.pending.repair
    return _look(state, policy, now)


def findings_of_phase(state: State) -> list[Finding]:
    """Return the relevant findings: of the current URL and phase."""
    return [found for found in _probes_of_phase(state) if found.url == state.health_url]


def _probes_of_phase(state: State) -> list[Finding]:
    """Return all findings since the last repair, decision or long wait."""
    since = state.phase_began_at
    return [seen.finding for seen in state.observations if seen.at >= since]


def window_of_phase(state: State, policy: Policy) -> Window:
    """Return the window of probes for the current phase."""
    starts_up = state.last_done is not None or state.found == "Progressing"
    return policy.settle if starts_up else policy.verify


def merges(kind: Kind, state: State, policy: Policy) -> bool:
    """Return whether Slipway itself merges the pull request of a repair."""
    reviewed = state.reviewed
    if reviewed is None or reviewed.environment not in policy.auto_merge_environments:
        return False
    strategy = next((each for each in policy.strategies if each.kind == kind), None)
    return isinstance(strategy, ScaleUp) or (isinstance(strategy, RollBack) and strategy.auto_merge)


def _may_go_on(state: State, policy: Policy) -> bool:
    """Return whether a repair in progress may continue."""
    pending = state.pending
    locked = bool(state.locked_by and pending and pending.repair.step in NEEDS_LOCK)
    return not locked and not _forbidden(state, policy)


def _look(state: State, policy: Policy, now: datetime) -> Step:
    if pause := _pause(state, policy, now):
        return pause
    findings, window = findings_of_phase(state), window_of_phase(state, policy)
    assessment = assess(findings, window)
    last = findings[-1] if findings else None
    if assessment == "Healthy" and last:
        return _healthy(state, policy, now)
    if assessment == "Unhealthy" and last:
        return _unhealthy(state, policy, now, last.sentence)
    unknown = next((found for found in reversed(findings) if found.state == "unknown"), last)
    if unknown and _is_final(unknown):
        return Unknown(reason=unknown.sentence)
    # Probes of another URL count here, because changes of the URL must not extend the window.
    probes = _probes_of_phase(state)
    if len(probes) >= window.probes:
        same_url = len(findings) == len(probes)
        return Unknown(reason=unknown.sentence if unknown and same_url else _CHANGED)
    return _next_probe(state, window, now)


def _is_final(finding: Finding) -> bool:
    """Return whether further probes are useless.

    A fault of the prober's own network may end.
    """
    return finding.state == "unknown" and finding.kind != OWN_NETWORK


def _next_probe(state: State, window: Window, now: datetime) -> Wait | Probe:
    findings = _probes_of_phase(state)
    if findings:
        due = state.observations[-1].at + timedelta(seconds=window.interval_seconds)
        if now < due:
            return Wait(until=due, reason=findings[-1].sentence)
    number = f"probe {len(findings) + 1} of at most {window.probes}"
    if state.last_done:
        return Probe(step="recheck", reason=f"Checking the result of the repair: {number}.")
    return Probe(step="verify", reason=f"Checking the service: {number}.")


def _pause(state: State, policy: Policy, now: datetime) -> Wait | None:
    """Wait for the rest of a cool-down, of the limit, or of a repair."""
    if state.cooled_until and now < state.cooled_until:
        return Wait(until=state.cooled_until, reason="The service cools down.")
    if state.limited_until and now < state.limited_until:
        return Wait(until=state.limited_until, reason=LIMITED)
    done = state.last_done
    if done is None or done.ended_at is None:
        return None
    kind = done.repair.step
    seconds = next((s.wait_seconds for s in policy.strategies if s.kind == kind), 0)
    until = done.ended_at + timedelta(seconds=seconds)
    if now < until:
        return Wait(until=until, reason=f"Waiting for the {NAMES[kind]} to take effect.")
    return None


def _healthy(state: State, policy: Policy, now: datetime) -> Step:
    done, synced = state.last_done, state.found == "Progressing"
    if done:
        kind = done.repair.step
        reason = f"The service answers again after: {NAMES[kind]}."
        return Healthy(repaired_by=kind, synced=synced, reason=reason)
    if synced:
        return Healthy(synced=True, reason="The health check passes.")
    return _cool_down(state, policy, now) or Healthy(
        reason="Reported as Degraded, but its health check passes."
    )


def _unhealthy(state: State, policy: Policy, now: datetime, finding: str) -> Step:
    if policy.mode == "repair" and state.reviewed is None:
        return Review(reason=finding)
    if forbidden := _forbidden(state, policy):
        return _escalate(state, policy, now, f"{finding} {forbidden}")
    if state.limited > 1:
        return Escalate(reason=f"{finding} {LIMITED}", notify=False, shared=True)
    proposal = next((a for a in state.attempts if a.outcome == "proposed"), None)
    if proposal:
        what = f"A {NAMES[proposal.repair.step]} waits for a person to merge it"
        return _escalate(
            state, policy, now, f"{finding} {what}: {proposal.link or proposal.detail}"
        )
    obstacles: list[str] = []
    for strategy in policy.strategies:
        obstacle = _obstacle(strategy, state)
        if not obstacle:
            return (
                _cool_down(state, policy, now)
                or _permission(state, policy, finding)
                or _repair(strategy, state)
            )
        obstacles.append(f"{NAMES[strategy.kind]}: {obstacle}")
    tried = "; ".join(obstacles) or "the policy names no strategy"
    return _escalate(state, policy, now, f"{finding} No repair is left to try ({tried}).")


def _forbidden(state: State, policy: Policy) -> str:
    """Return why this service must not be repaired; empty if it may be."""
    if policy.mode != "repair":
        return "The policy checks services, but does not repair them."
    if why := _forbidden_environment(state, policy) or _untrusted(state):
        return why
    if state.decision and not state.decision.granted:
        return f"The repair was not approved. {state.decision.sentence}".rstrip()
    return ""


def _untrusted(state: State) -> str:
    """Return why Slipway does not repair by this health URL; empty if it may."""
    reviewed = state.reviewed or Reviewed()
    if reviewed.url_fault:
        return f"Slipway checks it, but does not repair it. {reviewed.url_fault}"
    if reviewed.health_url is not None:
        if reviewed.health_url == state.health_url:
            return ""
        return (
            "Its health URL in Port differs from its files, so Slipway checks it, but does not "
            "repair it. Correct the wrong one."
        )
    if any(matches_pattern(state.health_url, pattern) for pattern in reviewed.allowed):
        return ""
    return (
        "Its health URL does not match `health.allowed` of the catalog, so Slipway checks it, but "
        "does not repair it."
    )


def _forbidden_environment(state: State, policy: Policy) -> str:
    """Return why its environment forbids a repair; empty if it does not."""
    reviewed = state.reviewed or Reviewed(fault="Its files were not read.")
    if reviewed.environment is None:
        return f"Slipway does not repair it. {reviewed.fault}"
    if state.environment not in {None, reviewed.environment}:
        return (
            "Slipway does not repair it: its environment in the catalogue is "
            f"{shown(state.environment or '')}, but its metadata file has "
            f"{shown(reviewed.environment)}. Correct the wrong one."
        )
    if reviewed.environment not in policy.environments:
        return f"Slipway does not repair services in {shown(reviewed.environment)}."
    return ""


def _as_clause(sentence: str) -> str:
    """Return a sentence as it continues after a colon; a name keeps its capital."""
    clause = sentence.rstrip(".")
    first = clause.partition(" ")[0]
    return first.lower() + clause[len(first) :] if first in {"It", "Its", "The"} else clause


def _obstacle(strategy: Strategy, state: State) -> str:
    """Return why a strategy cannot be tried now; empty if it can be."""
    if strategy.kind in NEEDS_LOCK and state.locked_by:
        number = state.locked_by.pr_number
        pull = f", pull request #{number}" if number else ""
        return f"another change of the service is in progress ({state.locked_by.owner}{pull})"
    tried = state.tried(strategy.kind)
    if tried and tried[-1].outcome == "skipped":
        return _as_clause(tried[-1].detail) or "there was nothing to do"
    if len(tried) >= strategy.attempts:
        failed = all(attempt.outcome == "failed" for attempt in tried)
        why = _as_clause(tried[-1].detail) if failed else ""
        return why or f"tried {len(tried)} of {strategy.attempts} times"
    if isinstance(strategy, ScaleUp) and state.reviewed:
        replicas = state.reviewed.replicas
        if replicas is None:
            return state.reviewed.replicas_fault.rstrip(".") or "the number of replicas is unknown"
        if replicas >= strategy.max_replicas:
            return f"the limit of {strategy.max_replicas} replicas is reached"
    return ""


def _cool_down(state: State, policy: Policy, now: datetime) -> CoolDown | None:
    """Return a cool-down if this remediation would exceed the limit per hour."""
    if state.attempts:
        return None
    recent = sorted(moment for moment in state.interventions if moment > now - _HOUR)
    if len(recent) < policy.max_per_hour:
        return None
    until = recent[-policy.max_per_hour] + _HOUR
    return CoolDown(
        until=until,
        notify=_notify(state, policy, now),
        reason=f"The service was unhealthy {len(recent)} times within an hour: it cools down until "
        f"{until:%H:%M} UTC.",
    )


def _permission(state: State, policy: Policy, finding: str) -> ApprovalNeeded | None:
    environment = state.reviewed.environment if state.reviewed else None
    if environment not in policy.approval_environments or state.decision:
        return None
    return ApprovalNeeded(
        reason=f"{finding} Repairs of services in {environment} need an approval."
    )


def _repair(strategy: Strategy, state: State) -> Repair:
    attempt = len(state.tried(strategy.kind)) + 1
    number = f" (attempt {attempt} of {strategy.attempts})"
    match strategy:
        case ScaleUp(step=step, max_replicas=most):
            # `_obstacle` has checked that the number is known and below the limit.
            before = (state.reviewed.replicas if state.reviewed else None) or 0
            replicas = min(before + step, most)
            return Repair(
                step="scale_up",
                attempt=attempt,
                replicas=replicas,
                replicas_before=before,
                reason=f"Slipway scales the service up to {replicas} replicas{number}.",
            )
        case RollBack():
            reason = f"Slipway rolls back the last change of the service{number}."
            return Repair(step="roll_back", attempt=attempt, reason=reason)
    return Repair(step="restart", attempt=attempt, reason=f"Slipway restarts the service{number}.")


def _escalate(state: State, policy: Policy, now: datetime, reason: str) -> Escalate:
    return Escalate(reason=reason, notify=_notify(state, policy, now))


def _notify(state: State, policy: Policy, now: datetime) -> bool:
    quiet = now - timedelta(seconds=policy.quiet_seconds)
    return not any(moment > quiet for moment in state.escalations)
