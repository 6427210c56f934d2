"""Process groups of the parts: whether one lives, and how all of it ends."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection

import psutil

STOP_SECONDS = 15
_EXEC_SECONDS = 5


def is_ours(pid: int, name: str) -> bool:
    """Return whether the process lives and is the one that we started.

    A later process may have the same number.
    """
    _reap(pid)
    try:
        process = psutil.Process(pid)
        return f"sandbox.{name}" in read_program(process, process.cmdline)
    except psutil.NoSuchProcess:
        return False


def read_program[T](process: psutil.Process, read: Callable[[], T]) -> T:
    """Read the command line or the environment of a process.

    Both are empty for a moment while the process becomes another program, as the broker does.

    Raises:
        psutil.Error: it has ended, or belongs to another user.
    """
    deadline = time.monotonic() + _EXEC_SECONDS
    while True:
        before = process.cmdline()
        value = read()
        after = process.cmdline()
        if value or (after and after == before):
            return value
        # Kernel threads and processes that are about to end have no program.
        if not process.exe() or time.monotonic() > deadline:
            return value
        time.sleep(0.001)


def end(sessions: Collection[int]) -> None:
    """End every process of the sessions: their leaders in good order, if they do so in time."""
    for leader in sessions:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while members := _members(sessions):
        late = time.monotonic() > deadline
        for pid, leader in members.items():
            # A leader that is gone can end nothing that it started.
            if late or leader not in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _members(sessions: Collection[int]) -> dict[int, int]:
    """Process id → session id of each process of the sessions that has not ended."""
    found = {}
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            session = os.getsid(pid)
            if session in sessions and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found[pid] = session
    return found


def _reap(pid: int) -> None:
    """Collect the process if it was a child of this one: a zombie counts as a living group."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
