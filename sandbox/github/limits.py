"""Rate limits, per account or installation, with the numbers under the tests' control.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import Clock
from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError

WINDOW_SECONDS = 3600
_WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@dataclass
class _Budget:
    used: int
    reset: float
    writes: deque[float] = field(default_factory=deque)


class RateLimits:
    """Counts requests. Thread-safe.

    Attributes:
        limit: requests per hour.
        writes_per_minute: writes per minute before the secondary limit; None: no such limit, as on
            a GitHub Enterprise Server. github.com has 80.
        retry_after: seconds that the secondary limit asks to wait.
    """

    def __init__(self, limit: int = 5000, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.limit = limit
        self.writes_per_minute: int | None = None
        self.retry_after = 60
        self._budgets: dict[str, _Budget] = {}
        self._lock = threading.Lock()

    def configure(
        self, limit: int, remaining: int | None, reset_seconds: float, login: str | None
    ) -> None:
        """Set the primary limit; with `remaining`, also what is left of it and for how long."""
        with self._lock:
            self.limit = limit
            if remaining is None:
                self._budgets.clear()
                return
            keys = [login] if login else list(self._budgets) or ["anonymous"]
            for key in keys:
                self._budgets[key] = _Budget(limit - remaining, self._clock.time() + reset_seconds)

    def spend(self, actor: Actor, method: str) -> None:
        """Count a request.

        Raises:
            ApiError: 403, the primary or the secondary limit is used up.
        """
        with self._lock:
            budget = self._budget(actor)
            if budget.used >= self.limit:
                raise ApiError(403, f"API rate limit exceeded for {actor.login or 'this address'}.")
            budget.used += 1
            if method in _WRITES and self.writes_per_minute is not None:
                self._spend_write(budget)

    def headers(self, actor: Actor) -> dict[str, str]:
        """Return the `X-RateLimit-*` headers of an answer to the actor."""
        state = self.state(actor)
        return {f"X-RateLimit-{name.title()}": str(value) for name, value in state.items()} | {
            "X-RateLimit-Resource": "core"
        }

    def state(self, actor: Actor) -> dict[str, Any]:
        """`limit`, `used`, `remaining` and `reset` (epoch seconds)."""
        with self._lock:
            budget = self._budget(actor)
            left = max(0, self.limit - budget.used)
            return {
                "limit": self.limit,
                "used": budget.used,
                "remaining": left,
                "reset": int(budget.reset),
            }

    def _budget(self, actor: Actor) -> _Budget:
        budget = self._budgets.get(actor.key)
        if budget is None or budget.reset <= self._clock.time():
            reset = self._clock.time() + WINDOW_SECONDS
            budget = self._budgets[actor.key] = _Budget(0, reset)
        return budget

    def _spend_write(self, budget: _Budget) -> None:
        now = self._clock.monotonic()
        while budget.writes and budget.writes[0] < now - 60:
            budget.writes.popleft()
        if self.writes_per_minute is not None and len(budget.writes) >= self.writes_per_minute:
            raise ApiError(
                403,
                "You have exceeded a secondary rate limit. "
                "Please wait a few minutes before you try again.",
                headers={"Retry-After": str(self.retry_after)},
            )
        budget.writes.append(now)
