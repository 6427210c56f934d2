"""Inject faults during a soak: random episodes, each with an end.

All faults act on the sandbox's own servers on this machine, through their routes (`/_sandbox/…`) or
`scripts/sandbox restart`. No fault outlasts `Faults.stop`.
"""

import random
import shlex
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from requests.exceptions import RequestException

from scripts.apply_sandbox import ROOT, knob

# The soak itself executes actions: after a lost answer it would execute the action twice.
_PORT_PATHS = "^/v1/(?!actions/[^/]+/runs$|kafka-credentials)"
_MANY = 1_000_000
_FOREVER = {"limit": _MANY}
# Method, path and body of a request to a server's fault routes.
_Setting = tuple[str, str, object]
_SHORTEST, _LONGEST = 2.0, 9.0
_OUTAGE = 5.0
_OUTLASTING = 30.0


class Faults:
    """Injects faults from `start` until `stop`, in its own thread.

    Args:
        env: the sandbox's `env` file.
        folder: the sandbox's folder.
        kinds: names of the kinds, as in `KINDS`.
        seed: the same one gives the same order.
        asking: lock taken while an episode may lose answers to the soak's requests.
        broker_restart: command that restarts an external broker.
        pause: seconds between two episodes, on average.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        folder: Path,
        kinds: list[str],
        seed: int,
        asking: threading.Lock,
        broker_restart: str | None = None,
        pause: float = 9.0,
    ) -> None:
        self._env = env
        self._folder = folder
        self._kinds = kinds
        self._chance = random.Random(seed)  # noqa: S311  it is to be repeatable
        self._asking = asking
        self._broker_restart = broker_restart
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self.now = ""
        self.done: Counter[str] = Counter()
        self.problem: Exception | None = None

    def start(self) -> None:
        """Start; lifts GitHub's hourly limit, which a soak would exhaust."""
        self.mend()
        if self._kinds:
            self._thread.start()

    def stop(self) -> None:
        """Start no further episode, and wait for the end of the current one."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self.mend()

    def mend(self) -> None:
        """Remove all faults."""
        self._call("port", "DELETE", "faults")
        self._call("github", "DELETE", "faults")
        self._call("github", "PUT", "rate_limit", _FOREVER)

    def _run(self) -> None:
        while not self._stopping.wait(self._chance.uniform(0.3, 1.7) * self._pause):
            kind = self._chance.choice(self._kinds)
            self.now = kind
            try:
                with KINDS[kind](self):
                    pass
            except (RequestException, subprocess.SubprocessError) as error:
                self.problem = error
                return
            self.now = ""
            self.done[kind] += 1

    def _call(self, part: str, method: str, path: str, body: object = None) -> Any:
        return knob(self._env, part, method, path, body)

    @contextmanager
    def spoilt(
        self, part: str, how: _Setting, end: _Setting, seconds: float | None = None
    ) -> Iterator[None]:
        """Have a server answer with errors for a while.

        Args:
            part: `port` or `github`.
            how: method, path and body of the request that begins the fault.
            end: the same for the request that ends the fault.
            seconds: duration; random if None.
        """
        self._call(part, *how)
        try:
            self._stopping.wait(seconds or self._chance.uniform(_SHORTEST, _LONGEST))
            yield
        finally:
            self._call(part, *end)

    @contextmanager
    def restart(self, part: str) -> Iterator[None]:
        """Stop a server, so that connections are refused, and start it again."""
        command = [str(ROOT / "scripts" / "sandbox"), "restart", part, "--down-for", str(_OUTAGE)]
        with self._asking:
            self._command([*command, "--folder", str(self._folder)])
        if part == "github":
            self._call("github", "PUT", "rate_limit", _FOREVER)
        yield

    @contextmanager
    def restart_broker(self) -> Iterator[None]:
        """Restart the external broker with the given command."""
        if self._broker_restart:
            self._command(shlex.split(self._broker_restart))
        yield

    @contextmanager
    def kill_functions(self) -> Iterator[None]:
        """Kill processes of functions while they work."""
        ends = time.monotonic() + self._chance.uniform(_SHORTEST, _LONGEST)
        while time.monotonic() < ends:
            self._call("aws", "POST", "lambda/kills", {"busy": True})
            if self._stopping.wait(self._chance.uniform(0.5, 2)):
                break
        yield

    @staticmethod
    def _command(command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def _port(**fault: Any) -> Callable[[Faults], Any]:
    how = ("POST", "faults", {"path": _PORT_PATHS, "times": _MANY, **fault})
    return lambda faults: faults.spoilt("port", how, ("DELETE", "faults", None))


def _github(seconds: float | None = None, **fault: Any) -> Callable[[Faults], Any]:
    how = ("POST", "faults", {"path": "^/api/", "times": _MANY, **fault})
    return lambda faults: faults.spoilt("github", how, ("DELETE", "faults", None), seconds)


def _limit(**limits: Any) -> Callable[[Faults], Any]:
    how = ("PUT", "rate_limit", {**_FOREVER, **limits})
    return lambda faults: faults.spoilt("github", how, ("PUT", "rate_limit", _FOREVER))


# Kinds of faults, by the name in `--faults`.
KINDS: dict[str, Callable[[Faults], Any]] = {
    "port-down": _port(status=503),
    "port-slow": _port(delay_seconds=1.5),
    "port-answers-lost": _port(status=502, when="after"),
    "port-gone": lambda faults: faults.restart("port"),
    "github-down": _github(status=502),
    "github-slow": _github(delay_seconds=1.0),
    "github-answers-lost": _github(status=502, when="after"),
    "github-resets": _github(reset=True),
    # An internal error that outlasts all retries: runs go on hold for an operator.
    "github-forbids": _github(method="POST", path="/git/trees", status=403, seconds=_OUTLASTING),
    "github-gone": lambda faults: faults.restart("github"),
    "github-rate-limit": _limit(remaining=0, reset_seconds=25),
    "github-secondary-limit": _limit(writes_per_minute=4, retry_after=25),
    "lambda-killed": Faults.kill_functions,
    # Only reports compare: their function fails, and the workflow with it.
    "report-fails": _github(method="GET", path="/compare/", status=403),
    "broker-restart": Faults.restart_broker,
}
