"""What tests ask the server to do wrong, and its memory of requests."""

import re
import threading
from collections import deque
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MEMORY = 10_000


class Fault(BaseModel):
    """How the next requests that match are spoilt.

    Attributes:
        method: regular expression for the method, matched whole.
        path: regular expression, searched in the path (without the query).
        field: a mutation of GraphQL, which alone fails: the rest of its document goes on.
        skip: how many matching requests pass first.
        times: how many are spoilt then.
        when: `before` anything is done, or `after`: the request is executed and its answer lost.
        delay_seconds: wait so long first; with no `status` and no `reset` the answer is genuine.
        hold: wait first until the faults are cleared, so that a test can act in between.
        status: answer with this status, `body` and `headers`.
        reset: cut the connection instead of answering.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = ".*"
    path: str = ".*"
    field: str = ""
    skip: int = Field(0, ge=0)
    times: int = Field(1, ge=1)
    when: Literal["before", "after"] = "before"
    delay_seconds: float = Field(0, ge=0)
    hold: bool = False
    status: int | None = Field(None, ge=400, le=599)
    body: Any = None
    headers: dict[str, str] = {}
    reset: bool = False


class Faults:
    """The faults that are still to happen. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.cleared = threading.Event()

    def add(self, fault: Fault) -> None:
        """Plan a fault; earlier ones go first."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all of them, and let go on what they hold."""
        with self._lock:
            self._faults.clear()
            self.cleared.set()
            self.cleared = threading.Event()

    def pending(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        with self._lock:
            return [fault.model_dump() for fault in self._faults]

    def take(self, method: str, path: str, field: str = "") -> Fault | None:
        """The fault that this request, or this field of one, meets, which is used up by it."""
        with self._lock:
            for fault in self._faults:
                if not (re.fullmatch(fault.method, method) and re.search(fault.path, path)):
                    continue
                if fault.field != field:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                return fault
        return None


class RequestLog:
    """The last requests, oldest first. Thread-safe: `deque` is."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=MEMORY)

    def add(self, method: str, path: str, actor: str, status: int) -> None:
        """Remember a request; `status` 0: the connection was cut."""
        self._entries.append({"method": method, "path": path, "actor": actor, "status": status})

    def entries(self) -> list[dict[str, Any]]:
        """All that is remembered."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
