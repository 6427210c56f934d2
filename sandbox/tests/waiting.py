"""Waiting for other threads and processes: for a condition, with a limit that no machine needs.

A test that waits has the marker `waits`. What depends on the time itself gets a `MovedClock`.
"""

import itertools
import threading
import time
from collections.abc import Callable

from sandbox.clock import Clock

# Reached only by what hangs: a start that takes two seconds took minutes on a crowded machine.
LIMIT = 600.0


def wait_for[T](look: Callable[[], T | None], what: str = "", seconds: float = LIMIT) -> T:
    """The first true answer of `look`, which is asked again and again."""
    deadline = time.monotonic() + seconds
    pauses = itertools.chain([0.005, 0.01, 0.02], itertools.repeat(0.05))
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or look}"
        threading.Event().wait(next(pauses))
    return found


class MovedClock(Clock):
    """A clock that begins at the machine's time and stands still until it is moved."""

    def __init__(self) -> None:
        self._now = time.time()

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._now += seconds

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def wait(
        self, for_what: threading.Event | threading.Condition, seconds: float | None = None
    ) -> None:
        for_what.wait(0.01)  # The caller looks at the clock again.
