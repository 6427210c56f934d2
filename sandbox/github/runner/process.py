"""Run a command for a step: own process group, time limit, output line by line."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 2.0
_POLL_SECONDS = 0.05


class Cancellation:
    """A request to end a run. Thread-safe."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the run to end."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the run must end."""
        return self._event.is_set()


class TimedOut(Exception):
    """The command ran longer than it may, and was ended."""


def run_process(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    limits: tuple[float, Cancellation],
    say: Callable[[str], None],
) -> int:
    """Run a command; return its exit status.

    Processes that it leaves running end with it.

    Args:
        command: program and arguments.
        folder: where it runs.
        environment: all of its environment.
        limits: the deadline (monotonic seconds) and what may cancel it.
        say: is given each line of its output.

    Raises:
        TimedOut: it was still running at the deadline.
        OSError: it could not be started.
    """
    deadline, cancellation = limits
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        process_group=0,
    ) as process:
        reader = threading.Thread(target=_read, args=(process, say), daemon=True)
        reader.start()
        late = False
        while process.poll() is None:
            late = time.monotonic() > deadline
            if late or cancellation.requested:
                _end(process)
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
    if late:
        raise TimedOut
    return process.returncode


def _read(process: subprocess.Popen[str], say: Callable[[str], None]) -> None:
    if process.stdout:
        for line in process.stdout:
            say(line.rstrip("\r\n"))


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
