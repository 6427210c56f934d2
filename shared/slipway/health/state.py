"""Model the state of a remediation and its steps, stored as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from slipway.catalog.keys import split_key
from slipway.health.finding import Finding
from slipway.health.policy import Kind

# The health statuses that Slipway handles.
UNHEALTHY = frozenset({"Progressing", "Degraded"})
Outcome = Literal["done", "failed", "skipped", "proposed"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Step(_Model):
    """Attributes of every step.

    Attributes:
        reason: why, as a sentence for `health_detail` and the timeline.
    """

    reason: str


class Probe(_Step):
    """Probe the health URL once and record the finding.

    `recheck`: after a repair.
    """

    step: Literal["verify", "recheck"]


class Wait(_Step):
    """Wait, then decide again."""

    step: Literal["wait"] = "wait"
    until: datetime


class Repair(_Step):
    """Carry out a strategy.

    The step repeats until its outcome is recorded.

    Attributes:
        step: the strategy.
        attempt: number of this strategy's attempt in this remediation, from 1.
        replicas: for `scale_up`: how many to request.
        replicas_before: for `scale_up`: how many the base branch has.
    """

    step: Kind
    attempt: int
    replicas: int | None = None
    replicas_before: int | None = None


class Review(_Step):
    """Read the service's reviewed files, then decide again."""

    step: Literal["review"] = "review"


class ApprovalNeeded(_Step):
    """Ask for approval, wait for the decision, and record it."""

    step: Literal["approval_needed"] = "approval_needed"


class CoolDown(_Step):
    """Record a cool-down, wait, then decide again.

    Attributes:
        until: when the service may be repaired again.
        notify: whether people are notified.
    """

    step: Literal["cool_down"] = "cool_down"
    until: datetime
    notify: bool


class Healthy(_Step):
    """The last step: the service is healthy.

    Attributes:
        repaired_by: the last strategy that was carried out; None if none was.
        synced: whether a deployment has now started, so that the running service matches the
            repository.
    """

    step: Literal["healthy"] = "healthy"
    repaired_by: Kind | None = None
    synced: bool = False


class Unknown(_Step):
    """The last step: the probes do not show whether the service is healthy."""

    step: Literal["unknown"] = "unknown"


class Escalate(_Step):
    """The last step: the service is unhealthy and escalates to people.

    Attributes:
        notify: whether people are notified; the issue is written in any case.
        shared: whether many services are unhealthy at the same time. Then one alert covers
            all of them, and this one gets neither issue nor alert.
    """

    step: Literal["escalate"] = "escalate"
    notify: bool
    shared: bool = False


class Off(_Step):
    """The last step: remediation is switched off."""

    step: Literal["off"] = "off"


class Leave(_Step):
    """The last step: the entity needs no remediation, so nothing is written."""

    step: Literal["leave"] = "leave"


# Each of these is the last one.
LastStep = Healthy | Unknown | Escalate | Off | Leave
Step = Probe | Wait | Repair | Review | ApprovalNeeded | CoolDown | LastStep


class Observation(_Model):
    """A finding and when it was made."""

    at: datetime
    finding: Finding


class Attempt(_Model):
    """One try of a strategy.

    Attributes:
        repair: the step.
        began_at: its start.
        ended_at: when its outcome was known; None: it is in progress.
        outcome: `done`; `failed`; `skipped`: it had nothing to do, for example no change to revert;
            `proposed`: a pull request waits for a person to merge.
        detail: the outcome as a sentence.
        link: a page about it.
    """

    repair: Repair
    began_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    detail: str = ""
    link: str = ""


class LockOwner(_Model):
    """The owner of the service's lock.

    Attributes:
        owner: run id or execution.
        pr_number: the pull request that the owner waits for, if there is one.
    """

    owner: str
    pr_number: int | None = None


class Decision(_Model):
    """The decision on a request for approval.

    Attributes:
        granted: whether the repair may be made.
        at: the time of the decision.
        sentence: who decided what, or why no approver could be asked.
        change_hash: `repair_hash` of the plan that they were shown.
    """

    granted: bool
    at: datetime
    sentence: str = ""
    change_hash: str = ""


class Reviewed(_Model):
    """Content of the service's files on the base branch.

    Attributes:
        environment: its environment; None: see `fault`.
        replicas: number of replicas; None: see `replicas_fault`.
        health_url: the address that they name; None: none, or see `url_fault`.
        allowed: patterns of the catalog: an address in Port must match one if they name none.
        fault: why nothing is known, as a sentence.
        url_fault: why the address must not be asked, as a sentence.
        replicas_fault: why the number of replicas is not known, as a sentence.
    """

    environment: str | None = None
    replicas: int | None = None
    health_url: str | None = None
    allowed: tuple[str, ...] = ()
    fault: str = ""
    url_fault: str = ""
    replicas_fault: str = ""


class State(_Model):
    """The state of one remediation of one service.

    Attributes:
        service: the entity's key.
        environment: its environment as last read from Port; it can only forbid a repair.
        found: its health status when this began.
        status: its health status as last read from Port; None: the entity is gone.
        health_url: as last read from Port; untrusted.
        reviewed: content of its files; None: not read since the entity.
        restored: whether Slipway wrote `found` back, because its own write had replaced it.
        started_at: when this began.
        observations: oldest first.
        attempts: oldest first.
        locked_by: the other owner of the service's lock, if it was locked.
        shown: digests of the attempts that approvers were asked about; None: they were not asked,
            or before requests had digests.
        decision: on the request for approval.
        limited: how often the limit over all services refused a repair.
        limited_until: until when this remediation waits because of it, once.
        cooled_until: end of the cool-down that this remediation has waited for.
        interventions: when earlier remediations of this service first repaired or corrected it.
        escalations: when people were last notified of this service.
    """

    schema_version: Literal[1] = 1
    service: str
    environment: str | None
    found: str
    status: str | None
    health_url: str | None = None
    reviewed: Reviewed | None = None
    restored: bool = False
    started_at: datetime
    observations: tuple[Observation, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    locked_by: LockOwner | None = None
    shown: tuple[str, ...] | None = None
    decision: Decision | None = None
    limited: int = 0
    limited_until: datetime | None = None
    cooled_until: datetime | None = None
    interventions: tuple[datetime, ...] = ()
    escalations: tuple[datetime, ...] = ()

    @property
    def name(self) -> str:
        """The entity's identifier."""
        return split_key(self.service)[1] or self.service

    @property
    def pending(self) -> Attempt | None:
        """The attempt in progress."""
        last = self.attempts[-1] if self.attempts else None
        return last if last and last.outcome is None else None

    @property
    def last_done(self) -> Attempt | None:
        """The last repair that was made."""
        return next((a for a in reversed(self.attempts) if a.outcome == "done"), None)

    @property
    def phase_began_at(self) -> datetime:
        """When the current phase began; earlier findings do not count.

        A phase begins after a repair or a long wait.
        """
        done = self.last_done
        return max(
            moment
            for moment in (
                self.started_at,
                done.ended_at if done else None,
                self.cooled_until,
                self.limited_until,
                self.decision.at if self.decision else None,
            )
            if moment is not None
        )

    def tried(self, kind: Kind) -> list[Attempt]:
        """The attempts of a strategy."""
        return [attempt for attempt in self.attempts if attempt.repair.step == kind]

    def reread(
        self, status: str | None, environment: str | None, health_url: str | None
    ) -> "State":
        """Record the entity as read from Port; its files must then be read again."""
        known = {
            "status": status,
            "environment": environment,
            "health_url": health_url,
            "reviewed": None,
        }
        if status in UNHEALTHY and not self.observations and not self.attempts:
            # A record reported what began this, and records can be forged.
            known["found"] = status
        return self.model_copy(update=known)

    def restore(self) -> "State":
        """Record that the initial status was written back."""
        return self.model_copy(update={"status": self.found, "restored": True})

    def observed(self, finding: Finding, at: datetime) -> "State":
        """Record a finding."""
        observation = Observation(at=at, finding=finding)
        return self.model_copy(update={"observations": (*self.observations, observation)})

    def began(self, repair: Repair, at: datetime) -> "State":
        """Record that a repair begins; does nothing if it is in progress."""
        if self.pending is not None and self.pending.repair == repair:
            return self
        attempt = Attempt(repair=repair, began_at=at)
        return self.model_copy(update={"attempts": (*self.attempts, attempt)})

    def ended(self, outcome: Outcome, at: datetime, detail: str = "", link: str = "") -> "State":
        """Record the outcome of the attempt in progress, if there is one."""
        if self.pending is None:
            return self
        known = {"outcome": outcome, "ended_at": at, "detail": detail, "link": link}
        last = self.pending.model_copy(update=known)
        return self.model_copy(update={"attempts": (*self.attempts[:-1], last)})

    def blocked(self, owner: LockOwner) -> "State":
        """Record that the service's lock has another owner."""
        return self.model_copy(update={"locked_by": owner})

    def decided(self, decision: Decision) -> "State":
        """Record a decision on the request for approval."""
        return self.model_copy(update={"decision": decision})

    def notified(self, at: datetime) -> "State":
        """Record that people were notified."""
        return self.model_copy(update={"escalations": (*self.escalations, at)})

    def limit(self, until: datetime) -> "State":
        """Record that the limit over all services refused a repair."""
        return self.model_copy(
            update={
                "limited": self.limited + 1,
                "limited_until": self.limited_until or until,
            }
        )

    def cooling(self, step: CoolDown, at: datetime) -> "State":
        """Record a cool-down."""
        state = self.notified(at) if step.notify else self
        return state.model_copy(update={"cooled_until": step.until})
