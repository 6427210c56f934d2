"""Count the work of event sources, per mapping and across its updates."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Count(StrEnum):
    """Names of the counters, which count records or invocations."""

    POLLED = "polled"
    FILTERED = "filtered"
    NOT_JSON = "notJson"
    INVOCATIONS = "invoked"
    FAILED_INVOCATIONS = "failed"
    SENT_TO_DESTINATION = "sentToDestination"
    DISCARDED = "discarded"


@dataclass
class Status:
    """The counters of one mapping."""

    _counts: Counter[Count] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: Count, number: int = 1) -> None:
        """Increase a counter."""
        with self._lock:
            self._counts[count] += number

    def counts(self) -> dict[str, int]:
        """Return all counters, by name."""
        with self._lock:
            return {str(count): self._counts[count] for count in Count}
