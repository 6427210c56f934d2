"""Run test lanes in parallel; report results and processor time.

A failed lane does not end the others. The command leaves no process behind, even if it is
interrupted.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal, NoReturn

import psutil
import typer
from rich.console import Console

from scripts.cli import start
from scripts.lanes import LANES, Lane, changed_lanes, named

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "tests"
RUN, LANE = "SLIPWAY_TEST_RUN", "SLIPWAY_TEST_LANE"  # environment variables that mark every process
SIDE_BY_SIDE = 2
POLL_SECONDS = 0.1
STOP_SECONDS = 30  # seconds for an interrupted lane to clean up
GRACE_SECONDS = 10  # seconds for a process to end after its lane
HEARTBEAT_SECONDS = 60
TAIL_LINES = 60
INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

console = Console(highlight=False, soft_wrap=True)


class Interrupted(BaseException):
    """The run was interrupted or terminated."""


@dataclass
class Running:
    """A running lane.

    Attributes:
        log: file for its output; None: the terminal.
        started: on the monotonic clock, seconds.
    """

    lane: Lane
    process: subprocess.Popen[bytes]
    log: Path | None
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long the lane has been running."""
        return time.monotonic() - self.started


@dataclass(frozen=True)
class Result:
    """How a lane ended.

    Attributes:
        status: exit status; negative for the signal that ended it.
        seconds: wall time.
        processor_seconds: user and system time of all its processes.
        left_behind: processes that outlived it and were ended.
    """

    lane: Lane
    status: int
    seconds: float
    processor_seconds: float
    log: Path | None
    left_behind: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it succeeded and cleaned up."""
        return self.status == 0 and not self.left_behind


class Runner:
    """Runs lanes, and ends every process that they leave behind.

    Args:
        side_by_side: how many lanes run at the same time.
        logs: folder for their output; None: the terminal, for a single lane.
    """

    def __init__(self, side_by_side: int, logs: Path | None) -> None:
        self._side_by_side = side_by_side
        self._logs = logs
        self._run = uuid.uuid4().hex
        self._running: dict[int, Running] = {}

    def run(self, lanes: Iterable[Lane], report: Callable[[Result], None]) -> list[Result]:
        """Run the lanes in order, and report each one when it ends.

        Raises:
            Interrupted: by SIGINT, SIGTERM or SIGHUP; every process was ended first.
        """
        waiting = list(lanes)
        results: list[Result] = []
        before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
        heartbeat = time.monotonic()
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self._side_by_side:
                    self._start(waiting.pop(0))
                time.sleep(POLL_SECONDS)
                for result in self._ended():
                    report(result)
                    results.append(result)
                if self._logs and time.monotonic() - heartbeat > HEARTBEAT_SECONDS:
                    heartbeat = time.monotonic()
                    names = (f"{r.lane.name} {r.seconds:.0f} s" for r in self._running.values())
                    console.print(f"  running: {', '.join(names)}", style="dim")
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not stop the clean-up
            self._stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return results

    def _start(self, lane: Lane) -> None:
        log = self._logs and self._logs / f"{lane.name}.log"
        output = log.open("wb") if log else None
        process = subprocess.Popen(
            lane.command,
            cwd=ROOT,
            env={**os.environ, **dict(lane.environment), RUN: self._run, LANE: lane.name},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,  # so that a signal reaches the whole lane, once
        )
        if output:
            output.close()
        self._running[process.pid] = Running(lane, process, log)
        if log:
            console.print(f"  started  {lane.name}: {lane.purpose}")

    def _ended(self) -> Iterator[Result]:
        for pid, running in list(self._running.items()):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if not ended:
                continue
            seconds = running.seconds
            del self._running[pid]
            running.process.returncode = os.waitstatus_to_exitcode(status)
            yield Result(
                running.lane,
                running.process.returncode,
                seconds,
                usage.ru_utime + usage.ru_stime,
                running.log,
                tuple(end_processes(self._run, running.lane.name, GRACE_SECONDS)),
            )

    def _stop(self) -> None:
        for running in self._running.values():
            _signal_group(running.process, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        for running in self._running.values():
            try:
                running.process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(running.process, signal.SIGKILL)
                running.process.wait()
        self._running.clear()
        list(end_processes(self._run, None, 0))


def end_processes(run: str, lane: str | None, grace_seconds: float) -> Iterator[str]:
    """End every process of a run, or of one lane, that does not end itself.

    Yields:
        Process id and command of each that had to be ended.
    """
    wanted = {RUN: run} | ({LANE: lane} if lane else {})
    left = [process for process in psutil.process_iter() if _carries(process, wanted)]
    _, alive = psutil.wait_procs(left, timeout=grace_seconds)
    for process in alive:
        try:
            command = shlex.join(process.cmdline())[:160]
            process.kill()
        except psutil.NoSuchProcess:
            continue
        yield f"{process.pid} {command}"
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


def _carries(process: psutil.Process, variables: dict[str, str]) -> bool:
    try:
        environment = process.environ()
        # A kernel thread has no program.
        if not environment and process.exe():
            # Empty for a moment while the process becomes another program.
            time.sleep(POLL_SECONDS)
            environment = process.environ()
    except psutil.Error:
        return False  # owned by another user, or ended
    return variables.items() <= environment.items()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # ended since then
        os.killpg(process.pid, number)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(signal.Signals(number).name)


def report(result: Result) -> None:
    """Print a lane's result and, on failure, its last output and retry."""
    lane = result.lane
    verdict = "[green]passed[/green] " if result.passed else "[red]FAILED[/red] "
    over = " [yellow]over budget[/yellow]" if result.processor_seconds > lane.budget else ""
    console.print(
        f"  {verdict}  {lane.name:<12} {result.seconds:6.0f} s, "
        f"{result.processor_seconds:5.0f} of {lane.budget} processor seconds{over}"
    )
    if result.passed:
        return
    if result.log:
        lines = result.log.read_text(errors="replace").splitlines()
        for line in lines[-TAIL_LINES:]:
            console.print(f"    {line}", markup=False)
        console.print(f"    full output: {os.path.relpath(result.log)}", markup=False)
    for process in result.left_behind:
        console.print(f"    left a process behind, which was ended: {process}", markup=False)
    console.print(f"    run again: {lane.repeat}", markup=False)


def play(lanes: list[Lane], side_by_side: int) -> int:
    """Run lanes and print their results; returns the exit status."""
    started = time.monotonic()
    single = len(lanes) == 1
    if not single:
        LOGS.mkdir(parents=True, exist_ok=True)
    try:
        results = Runner(side_by_side, None if single else LOGS).run(lanes, report)
    except Interrupted as interruption:
        console.print(f"Interrupted by {interruption}. Every process of this run was ended.")
        return INTERRUPTED
    failed = [result.lane.name for result in results if not result.passed]
    used = sum(result.processor_seconds for result in results)
    console.print(
        f"{len(results) - len(failed)} of {len(results)} lanes passed in "
        f"{time.monotonic() - started:.0f} s, {used:.0f} of "
        f"{sum(lane.budget for lane in lanes)} processor seconds."
        + (f" [red]Failed: {', '.join(failed)}.[/red]" if failed else "")
    )
    return 1 if failed else 0


def main(
    lanes: Annotated[
        list[str] | None,
        typer.Argument(help="Lanes to run, for example 'unit faults'. Default: --set."),
    ] = None,
    which: Annotated[
        Literal["test", "all", "changed"],
        typer.Option("--set", help="'changed': lanes of 'all' for changes since the last merge."),
    ] = "test",
    within: Annotated[
        float | None, typer.Option(help="Minutes that '--set changed' may take.")
    ] = None,
    side_by_side: Annotated[int, typer.Option(min=1, help="Lanes in parallel.")] = SIDE_BY_SIDE,
) -> None:
    """Run test lanes in parallel."""
    if lanes:
        unknown = sorted(set(lanes) - {lane.name for lane in LANES})
        if unknown:
            known = ", ".join(lane.name for lane in LANES)
            console.print(f"[red]run_tests:[/red] no lane {', '.join(unknown)}. Lanes: {known}.")
            raise typer.Exit(2)
        chosen = [named(name) for name in lanes]
    elif which == "changed":
        chosen, left_out = changed_lanes(ROOT, within, side_by_side)
        for lane in left_out:
            console.print(f"  skipped for lack of time: {lane.repeat}", markup=False)
    else:
        chosen = [lane for lane in LANES if which == "all" or lane.in_test]
    if not chosen:
        console.print("No lane tests the changed files.")
        return
    raise typer.Exit(play(chosen, side_by_side))


if __name__ == "__main__":
    start(main, "unit faults")
