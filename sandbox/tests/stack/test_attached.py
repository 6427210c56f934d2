"""A sandbox that is attached to its caller, and all the ways in which the caller ends.

What ends is looked up in the process table. One part stands for all, but for the last test: the
broker, which is not a Python program and so cannot look after itself.
"""

import base64
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from sandbox import mark
from sandbox.ports import free_port
from sandbox.stack import Sandbox
from sandbox.state import SERVICES_REPO, State
from sandbox.tests.stack.test_cli import CLI
from sandbox.tests.waiting import LIMIT, wait_for

pytestmark = pytest.mark.waits
# Attached as `sandbox up --attached` is, but with one part.
ATTACHED = """
import sys, time
from pathlib import Path
from sandbox.attached import ends_with_this_process
from sandbox.stack import Sandbox
from sandbox.state import State
sandbox = Sandbox(Path(sys.argv[1]))
with ends_with_this_process(sandbox):
    sandbox.log_file("broker").parent.mkdir(parents=True)
    sandbox._spawn("broker", ["sandbox.broker", "--port", sys.argv[2]], State({}, "", "", "", ""))
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""
# Starts that with a pipe as its input, and says its process id.
CALLER = """
import subprocess, sys
attached = subprocess.Popen(
    [sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)
assert attached.stdout.readline() == "ready\\n"
print(attached.pid, flush=True)
attached.wait()
"""
JOB = """
on: workflow_dispatch
jobs:
  hang:
    runs-on: ubuntu-latest
    steps:
      - run: |
          touch {file}
          sleep 600
"""


def marked(folder: Path) -> list[psutil.Process]:
    """The living processes of a sandbox, and what waits for its end."""
    found = []
    for process in psutil.process_iter():
        try:
            is_part = process.environ().get(mark.VARIABLE, "").startswith(f"{folder}:")
            if is_part or str(folder) in process.cmdline():
                found.append(process)
        except psutil.Error:  # it has ended, or is another user's
            continue
    return found


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with an attached sandbox, both in one group of their own."""
    attached = ["-c", ATTACHED, str(tmp_path), str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, *attached],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        yield process
    for left in marked(tmp_path):
        left.kill()


def attached_pid(caller: subprocess.Popen[str]) -> int:
    assert caller.stdout is not None
    return int(caller.stdout.readline())


def no_process_is_left(folder: Path) -> None:
    wait_for(lambda: not marked(folder), "the end of every process")


def end_attached(number: int) -> Callable[[int, int], None]:
    return lambda _caller, attached: os.kill(attached, number)


def end_group(number: int) -> Callable[[int, int], None]:
    return lambda caller, _attached: os.killpg(caller, number)


def end_caller(number: int) -> Callable[[int, int], None]:
    return lambda caller, _attached: os.kill(caller, number)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(end_attached(signal.SIGINT), id="interrupted"),
        pytest.param(end_attached(signal.SIGHUP), id="terminal-closed"),
        pytest.param(end_attached(signal.SIGKILL), id="killed"),
        pytest.param(end_group(signal.SIGTERM), id="group-terminated"),
        pytest.param(end_group(signal.SIGKILL), id="group-killed"),
        pytest.param(end_caller(signal.SIGKILL), id="caller-killed"),
    ],
)
def test_attached_sandbox_leaves_no_process(
    caller: subprocess.Popen[str], tmp_path: Path, end: Callable[[int, int], None]
) -> None:
    attached = attached_pid(caller)
    assert len(marked(tmp_path)) >= 3  # itself, its part, and what waits for its end

    end(caller.pid, attached)

    no_process_is_left(tmp_path)


def test_attached_sandbox_is_refused_when_one_is_up(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(
        '{"ports":{},"client_id":"","client_secret":"","github_token":"","kafka":""}'
    )

    done = subprocess.run(
        [CLI, "up", "--attached", "--folder", tmp_path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert done.returncode == 1
    assert "End it first: scripts/sandbox down" in done.stdout


def test_attached_sandbox_ends_its_jobs_and_counts_its_time(tmp_path: Path) -> None:
    # Given a whole sandbox with a job that hangs, and a part that was started again
    with subprocess.Popen(
        [CLI, "up", "--attached", "--folder", tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as attached:
        assert attached.stdout is not None
        assert attached.stdin is not None
        lines = iter(attached.stdout.readline, "")
        said = list(itertools.takewhile(lambda line: not line.startswith("Up after"), lines))
        assert attached.poll() is None, said
        restart: list[str | Path] = [CLI, "restart", "port", "--folder", tmp_path]
        subprocess.run([str(word) for word in restart], check=True, timeout=LIMIT)
        state = Sandbox(tmp_path).state()
        assert state is not None
        started = tmp_path / "started"
        hang(state, started)
        wait_for(started.exists, "the job's start")
        parts = [psutil.Process(pid) for pid in state.pids.values()]
        assert {part.ppid() for part in parts} == {attached.pid}
        seconds = sum(sum(part.cpu_times()[:2]) for part in [*parts, psutil.Process(attached.pid)])

        # When its input ends
        attached.stdin.close()
        _, status, usage = os.wait4(attached.pid, 0)
        attached.returncode = os.waitstatus_to_exitcode(status)

    # Then
    assert status == 0
    assert marked(tmp_path) == []
    assert usage.ru_utime + usage.ru_stime >= seconds


def hang(state: State, started: Path) -> None:
    """Start a job that says that it runs, and does not end."""
    with httpx.Client(
        base_url=f"{state.url('github')}/api/v3/repos/{SERVICES_REPO}",
        headers={"Authorization": f"Bearer {state.github_token}"},
    ) as client:
        body = {
            "message": "A job",
            "content": base64.b64encode(JOB.format(file=started).encode()).decode(),
        }
        client.put("/contents/.github/workflows/hang.yml", json=body).raise_for_status()
        dispatch = "/actions/workflows/hang.yml/dispatches"
        client.post(dispatch, json={"ref": "main"}).raise_for_status()
