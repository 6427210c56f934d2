"""Run one process of a function, and end it with all its children."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from threading import Thread

from sandbox.aws.runtime_api import Invocation, RuntimeApi, RuntimeEvent

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


class FunctionProcess:
    """AWS's Python runtime for one function, as an operating-system process.

    Output goes to a file, not to a pipe. So the file is complete when the answer arrives, and a
    full pipe cannot block the function.

    Attributes:
        started: When, by the monotonic clock.
        was_used: Whether an invocation has waited for its initialisation.
    """

    def __init__(
        self, python: Path, handler: str, environment: Mapping[str, str], output: Path
    ) -> None:
        self._api = RuntimeApi()
        self.started = time.monotonic()
        self.was_used = False
        self._ended = False
        closes_with_child, self._closes_with_this = os.pipe()
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                # -P: the folder of the script is not searched for the function's imports.
                [python, "-P", BOOTSTRAP, str(closes_with_child), handler],
                cwd=environment["LAMBDA_TASK_ROOT"],
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[closes_with_child],
                # Its own group, so that children of the function end with it.
                process_group=0,
            )
        os.close(closes_with_child)
        Thread(target=self._watch, name=f"function-{self._process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def send(self, invocation: Invocation) -> None:
        """Hand over an invocation."""
        self._api.send(invocation)

    def next_event(self, seconds: float) -> RuntimeEvent | None:
        """Return what the process did next; None when it did nothing for so long."""
        try:
            return self._api.events.get(timeout=max(0.0, seconds))
        except Empty:
            return None

    def peak_memory_mb(self) -> int:
        """Return the peak memory of the process; 0 if the host hides it."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
        return 0

    def crash(self) -> None:
        """Kill only the process: its waiters notice it as they would on Lambda."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def end(self) -> None:
        """Kill the process and what it started, as Lambda ends an environment; harmless twice."""
        if self._ended:
            return
        self._ended = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._closes_with_this)
        # In the background: the server notices only at its next look, and many may end at once.
        Thread(target=self._api.close, daemon=True).start()

    def _watch(self) -> None:
        code = self._process.wait()
        self._api.events.put(RuntimeEvent("exit", exit_code=code))
