"""Drive a remediation as the state machine would, on a clock of its own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.health.finding import Finding
from slipway.health.policy import Policy
from slipway.health.remediation import next_step
from slipway.health.state import (
    ApprovalNeeded,
    CoolDown,
    Decision,
    LastStep,
    Outcome,
    Probe,
    Repair,
    Review,
    Reviewed,
    State,
    Step,
    Wait,
)

URL = "https://my-service.test/health"
BEGIN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HEALTHY = Finding(state="healthy", kind="ok", sentence="The health URL answered 200.", url=URL)
UNHEALTHY = Finding(
    state="unhealthy", kind="status", sentence="The health URL answered 503, not a 2xx.", url=URL
)
REFUSED = Finding(
    state="unknown", kind="refused_url", sentence="The health URL was not asked.", url=URL
)

Look = Callable[["Story"], Finding]
Do = Callable[["Story", Repair], Outcome | State]


def make_state(**changes: Any) -> State:
    """Make a Degraded service in Test."""
    known: dict[str, Any] = {
        "service": "my-service",
        "environment": "Test",
        "found": "Degraded",
        "status": "Degraded",
        "health_url": URL,
        "started_at": BEGIN,
    }
    state = State(**(known | changes))
    reviewed = make_reviewed(environment=state.environment, replicas=2)
    return state if state.reviewed else state.model_copy(update={"reviewed": reviewed})


def make_reviewed(**changes: Any) -> Reviewed:
    """What a service's files say, which name no health URL."""
    return Reviewed.model_validate({"allowed": ("https://*.test/",)} | changes)


def make_policy(**changes: Any) -> Policy:
    """Make a policy with short times."""
    known: dict[str, Any] = {
        "schema_version": 1,
        "environments": ["Test", "Staging"],
        "auto_merge_environments": ["Test", "Staging"],
        "verify": {"probes": 3, "interval_seconds": 1, "healthy_after": 2, "unhealthy_after": 2},
        "settle": {"probes": 4, "interval_seconds": 1, "healthy_after": 2, "unhealthy_after": 4},
    }
    return Policy.model_validate(known | changes)


class Story:
    """Drives a remediation to its end.

    Attributes:
        steps: every step, in order.
        repairs: when a repair began, and which.
        decide: answers a request for approval.
        do: carries a repair out: returns its outcome, or the state when another owner has the lock.
        files: the content of the service's files when they are read again.
    """

    def __init__(self, state: State, policy: Policy, *, look: Look, do: Do | None = None) -> None:
        self.state = state
        self.policy = policy
        self.now = state.started_at
        self.steps: list[Step] = []
        self.repairs: list[tuple[datetime, Repair]] = []
        self.decide: Callable[[Story], bool] = lambda _story: True
        self._look = look
        self.do: Do = do or (lambda _story, _repair: "done")
        self.files = state.reviewed

    def run(self, most: int = 500) -> LastStep:
        """Take step after step, up to a maximum."""
        for _ in range(most):
            # The state machine stores the state as JSON.
            self.state = State.model_validate_json(self.state.model_dump_json())
            step = next_step(self.state, self.policy, self.now)
            self.steps.append(step)
            match step:
                case Probe():
                    url = self.state.health_url
                    found = self._look(self).model_copy(update={"url": url})
                    self.state = self.state.observed(found, self.now)
                case Wait(until=until):
                    assert until > self.now, "waits for a time in the past"
                    self.now = until
                case CoolDown(until=until):
                    assert until > self.now
                    self.state = self.state.cooling(step, self.now)
                    self.now = until
                case ApprovalNeeded():
                    self.now += timedelta(minutes=10)
                    self.state = self.state.decided(
                        Decision(granted=self.decide(self), at=self.now, sentence="By a@b.c.")
                    )
                case Repair():
                    self._repair(step)
                case Review():
                    self.state = self.state.model_copy(update={"reviewed": self.files})
                case _:
                    return step
        raise AssertionError(f"no end after {most} steps: {self.steps[-5:]}")

    def _repair(self, repair: Repair) -> None:
        outcome = self.do(self, repair)
        if isinstance(outcome, State):
            self.state = outcome
            return
        self.repairs.append((self.now, repair))
        self.state = self.state.began(repair, self.now)
        self.now += timedelta(seconds=1)
        self.state = self.state.ended(outcome, self.now, detail="As asked.")

    @property
    def kinds(self) -> list[str]:
        """Return the strategies that were carried out, in order."""
        return [repair.step for _, repair in self.repairs]


def unhealthy_until(kind: str) -> Look:
    """Make a service that is unhealthy until this strategy was carried out."""
    return lambda story: HEALTHY if kind in story.kinds else UNHEALTHY
