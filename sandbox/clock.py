"""The time as the stand-ins read it; tests give them one that they move themselves."""

import threading
import time


class Clock:
    """The machine's clock. Thread-safe."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some moment; never set back."""
        return time.monotonic()

    def wait(
        self, for_what: threading.Event | threading.Condition, seconds: float | None = None
    ) -> None:
        """Wait for it, at most so many seconds; may return early, so look again afterwards."""
        for_what.wait(seconds)
