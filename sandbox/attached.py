"""Has a sandbox end with the process that started it, however that process ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from sandbox.stack import ROOT, Sandbox
from sandbox.state import SandboxError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Reads until this process has ended, or has closed its end; then becomes the command that follows.
_WHEN_ITS_INPUT_ENDS = 'read -r _; exec "$@"'


@contextlib.contextmanager
def ends_with_this_process(sandbox: Sandbox) -> Iterator[None]:
    """End the sandbox when the block ends, and end the block at a signal or at the input's end.

    The signals are SIGINT, SIGTERM and SIGHUP; the input is the standard input. If this process
    is killed, another one ends the sandbox. This process waits for
    all parts, so its caller's accounting includes their processor time.

    Raises:
        SandboxError: the sandbox is up already.
    """
    if sandbox.state():
        raise SandboxError(
            f"It is up already, in {sandbox.folder}. End it first: scripts/sandbox down"
        )
    for number in _ENDING:
        signal.signal(number, _end_block)
    signal.signal(signal.SIGUSR1, lambda *_: _start_missing(sandbox))
    heir = start_heir(sandbox)
    threading.Thread(target=_read_input, daemon=True).start()
    try:
        yield
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        sandbox.down()
        heir.kill()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)


def start_heir(sandbox: Sandbox) -> subprocess.Popen[bytes]:
    """Start a process that ends the sandbox when this one has ended; kill it if it must not.

    It has a session of its own: what is sent to this process's group must not reach it.
    """
    down = [sys.executable, "-m", "sandbox.cli", "down", "--folder", str(sandbox.folder)]
    return subprocess.Popen(
        ["/bin/sh", "-c", _WHEN_ITS_INPUT_ENDS, "sh", *down],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end_block(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def _start_missing(sandbox: Sandbox) -> None:
    # `up` writes this file last: before, it starts the parts itself.
    if sandbox.env_file.exists():
        sandbox.start_missing()


def _read_input() -> None:
    while os.read(sys.stdin.fileno(), 65536):
        pass
    # To the main thread: a signal that another thread gets does not interrupt what it waits for.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
