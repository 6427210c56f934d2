"""Manage concurrency groups: one member runs, one waits.

A newer one replaces the waiting one.

https://docs.github.com/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.github.runner.process import Cancellation


class Groups:
    """The groups of one repository or more; names are without case. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: dict[str, Cancellation] = {}
        self._waiting: dict[str, Cancellation] = {}

    @contextmanager
    def member(self, group: str, me: Cancellation) -> Iterator[None]:
        """Wait for the turn and own the group; cancelled members do not wait.

        Args:
            group: the group's name.
            me: the member; cancelled by a newer one that takes its place.
        """
        name = group.casefold()
        self._enter(name, me)
        try:
            yield
        finally:
            with self._changed:
                if self._running.get(name) is me:
                    del self._running[name]
                if self._waiting.get(name) is me:
                    del self._waiting[name]
                self._changed.notify_all()

    def _enter(self, name: str, me: Cancellation) -> None:
        with self._changed:
            # No member overtakes a waiting member.
            if name in self._running or name in self._waiting:
                if older := self._waiting.get(name):
                    older.cancel()
                self._waiting[name] = me
                self._changed.notify_all()
                while name in self._running and not me.requested:
                    # A cancellation by a person sends no notification, so it is polled.
                    self._changed.wait(0.2)
            if me.requested:
                return
            self._waiting.pop(name, None)
            self._running[name] = me
