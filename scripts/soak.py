"""Send thousands of runs through the sandbox with faults, then audit.

No run may be lost, done twice or stuck. A seed determines the requests, the people's reactions and
the faults. Their timing depends on the machine, so a repeated soak is similar, but not identical.
"""

import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from requests.exceptions import RequestException
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from slipway.errors import SlipwayError

from scripts.apply_sandbox import ROOT, Stack, StackError, read_environment
from scripts.cli import add_names, start, table_console
from scripts.demo import DemoError, prepare
from scripts.soaking.audit import Finding, Kind, World, audit, counts
from scripts.soaking.faults import KINDS, Faults
from scripts.soaking.gather import gather
from scripts.soaking.installation import Installation, Sweeper, SweepFailed
from scripts.soaking.play import People
from scripts.soaking.workload import plan

_SWEEP_SECONDS = 10.0
_REPLAY_SECONDS = 20.0
_REPLAY_LIMIT = 300.0
_TICK_SECONDS = 0.1
_APPROVERS = ["devops@acme.example", "admin@acme.example"]

console = table_console()


@dataclass(frozen=True)
class Settings:
    """Settings of a soak.

    Attributes:
        folder: the sandbox's folder.
        runs: how many requests.
        seed: of everything.
        minutes: time limit for new requests.
        settle_minutes: how long everything may take to settle afterwards.
        faults: kinds of faults, of `scripts.soaking.faults.KINDS`.
        at_once: how many runs may be in progress.
        expire_seconds: how long an approval waits.
        report_seconds: delay after which the sweep reports a pull request.
        broker_restart: command that restarts an external broker.
    """

    folder: Path
    runs: int
    seed: int
    minutes: float = 40
    settle_minutes: float = 10
    faults: tuple[str, ...] = tuple(KINDS)
    at_once: int = 48
    expire_seconds: int = 30
    report_seconds: int = 20
    broker_restart: str | None = None


@dataclass
class Result:
    """Results of a soak.

    Attributes:
        world: everything that exists.
        findings: all broken promises.
        asked: how many requests were made.
        seconds: from the first request until everything settled.
        faults: number of each fault.
        replayed: how many runs on hold an operator retried.
        waits: what did not settle in time.
    """

    world: World
    findings: list[Finding]
    asked: int
    seconds: float
    faults: Counter[str]
    replayed: int
    waits: dict[str, int]


class Soak:
    """One soak of a sandbox whose stack is applied.

    Args:
        settings: of the soak.
        installation: the applied stack.
        progress: shows how far it is.
    """

    def __init__(
        self, settings: Settings, installation: Installation, progress: Progress | None = None
    ) -> None:
        self._settings = settings
        self._installation = installation
        self._progress = progress or Progress(disable=True)
        asking = threading.Lock()
        self._people = People(settings.folder, asking, settings.at_once)
        self._faults = Faults(
            installation.env,
            settings.folder,
            list(settings.faults),
            settings.seed,
            asking,
            settings.broker_restart,
        )
        self._replayed = set[str]()

    def run(self) -> Result:
        """Request runs, inject faults, wait until all has settled, and audit.

        Raises:
            SoakError: a part of the soak itself failed.
        """
        started = time.monotonic()
        with self._policy(), self._sweeping(), _repeating(_REPLAY_SECONDS, self._put_back):
            self._faults.start()
            try:
                asked = self._play()
            finally:
                self._faults.stop()
            waits = self._settle(time.monotonic() + self._settings.settle_minutes * 60)
        seconds = time.monotonic() - started
        if self._faults.problem:
            raise SoakError(f"The faults ended early: {self._faults.problem}")
        task = self._progress.add_task("Reading what exists", total=len(self._people.asked))
        world = gather(
            self._people.port,
            self._people.services,
            self._installation,
            self._people.asked.values(),
            lambda runs: self._progress.track(runs, task_id=task),
        )
        return Result(
            world, audit(world), asked, seconds, self._faults.done, len(self._replayed), waits
        )

    def _play(self) -> int:
        """Make all requests, and continue until all have ended."""
        settings = self._settings
        waiting = plan(settings.seed, settings.runs, secrets.token_hex(3))
        asked = self._progress.add_task("Asked", total=settings.runs)
        ended = self._progress.add_task("Ended", total=settings.runs)
        ends = time.monotonic() + settings.minutes * 60
        while waiting and time.monotonic() < ends:
            ready = next(filter(self._people.may_ask, waiting), None)
            if ready is not None:
                self._people.ask(ready)
                waiting.remove(ready)
            self._people.act()
            self._progress.update(asked, completed=settings.runs - len(waiting))
            self._show(ended)
            time.sleep(_TICK_SECONDS)
        return settings.runs - len(waiting)

    def _settle(self, ends: float) -> dict[str, int]:
        """Wait until everything has settled or time is up; return the rest."""
        task = self._progress.add_task("Settling", total=None)
        while True:
            self._people.act()
            waits = self._waits()
            shown = ", ".join(f"{number} {what}" for what, number in waits.items())
            self._progress.update(task, description=f"Settling: {shown or 'done'}")
            if not waits or time.monotonic() > ends:
                return waits
            time.sleep(1)

    def _put_back(self) -> None:
        """Replay what is on hold, as an operator would without knowing the cause."""
        failed = _failed(self._installation.executions("approval"))
        held = (self._installation.held_records().keys() | failed) & self._people.asked.keys()
        if not held:
            return
        # A repeated failure stays on hold until the next retry; in the end the audit finds it.
        subprocess.run(
            [ROOT / "scripts/replay", "run", "--all", "--env-file", self._settings.folder / "env"],
            check=False,
            capture_output=True,
            timeout=_REPLAY_LIMIT,
        )
        self._replayed |= held

    def _waits(self) -> dict[str, int]:
        """Return what has not settled, of this soak's requests."""
        installation, asked = self._installation, self._people.asked
        services = {one.ask.service for one in asked.values() if one.ask}
        executions = installation.executions("approval")

        def ours(names: Any) -> int:
            return len({name.partition("-")[0] for name in names} & asked.keys())

        waits = {
            "runs": len(self._people.open),
            "executions": ours(name for name, now in executions.items() if now == "RUNNING"),
            "delayed deliveries": ours(installation.executions("deliver_later", "RUNNING")),
            "open rows": sum(
                row["run_id"] in asked and "open" in row for row in installation.rows("runs")
            ),
            "locks": sum(row["service"] in services for row in installation.rows("locks")),
            "services being checked": sum(
                row["service"] in services and "at_work" in row
                for row in installation.rows("remediations")
            ),
        }
        return {what: number for what, number in waits.items() if number}

    def _show(self, task: Any) -> None:
        total = len(self._people.asked)
        now = f" [yellow]{self._faults.now}[/yellow]" if self._faults.now else ""
        ended = total - len(self._people.open)
        self._progress.update(task, total=total, completed=ended, description=f"Ended{now}")

    @contextmanager
    def _policy(self) -> Iterator[None]:
        """Approvals by either of two people, with a short expiry."""
        short = {
            "emails": _APPROVERS,
            "expires_after_seconds": self._settings.expire_seconds,
            "remind_before_seconds": self._settings.expire_seconds // 3,
        }

        def change(document: dict[str, Any]) -> None:
            for rule in (*document["rules"], document["default"]):
                if rule["approval"]:
                    rule["approval"] |= short

        with self._installation.policy(change):
            yield

    @contextmanager
    def _sweeping(self) -> Iterator[None]:
        """Sweep continuously, with short limits."""
        name = self._installation.outputs["functions"]["sweep_runs"]["function_name"]
        sweeper = Sweeper(self._installation.aws("lambda"), name)

        def sweep() -> None:
            # It fails while faults are injected; the audit finds what stays undone.
            with suppress(SweepFailed, ClientError, BotoCoreError):
                sweeper.sweep(report=self._settings.report_seconds)

        try:
            with _repeating(_SWEEP_SECONDS, sweep):
                yield
        finally:
            sweeper.restore()


@contextmanager
def _repeating(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Repeat an action in a background thread, with a pause each time."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(seconds):
            action()

    thread = threading.Thread(target=run, name=action.__name__, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _failed(executions: dict[str, str]) -> set[str]:
    """Return runs whose executions have all failed and that nothing resumed."""
    runs = {name.partition("-")[0] for name in executions}
    going_on = {name.partition("-")[0] for name, now in executions.items() if now != "FAILED"}
    return runs - going_on


class SoakError(Exception):
    """The soak itself failed; the text says why."""


def show(result: Result) -> None:
    """Print the results of the runs, and the audit."""
    console.print(_ends(result.world))
    if result.faults:
        gone_wrong = ", ".join(f"{kind} {n}x" for kind, n in sorted(result.faults.items()))
        console.print(f"Injected faults: {gone_wrong}", soft_wrap=True)
    rate = 60 * len(result.world.runs) / result.seconds
    console.print(
        f"{result.asked} requests and {len(result.world.runs) - result.asked} decisions in "
        f"{result.seconds / 60:.1f} minutes, until all had settled: {rate:.0f} runs a minute"
    )
    if result.replayed:
        console.print(f"An operator retried {result.replayed} runs on hold")
    for what, number in result.waits.items():
        console.print(f"[yellow]Not settled in time: {number} {what}[/yellow]")
    if result.waits:
        console.print(
            "The audited parts are still running; some messages may be unread. Increase "
            "--settle-minutes.",
            soft_wrap=True,
        )
    found = counts(result.findings)
    table = Table("Audit", "Found", title=f"{len(result.world.runs)} runs")
    for kind in Kind:
        colour = "green" if not found[kind] else "yellow" if kind is Kind.HELD else "red"
        table.add_row(_TITLES[kind], f"[{colour}]{found[kind]}[/{colour}]")
    console.print(table)
    if result.findings:
        offenders = Table("", title="Offenders")
        add_names(offenders, "Run", [finding.subject for finding in result.findings])
        offenders.add_column("Reason", overflow="fold")
        for finding in sorted(result.findings, key=lambda f: (list(Kind).index(f.kind), f.subject)):
            offenders.add_row(finding.kind, finding.subject, finding.reason)
        console.print(offenders)


_TITLES = {
    Kind.LOST: "lost: without an end, or with a wrong one",
    Kind.TWICE: "twice: done more than once",
    Kind.STUCK: "stuck: left behind",
    Kind.HELD: "on hold: waits for an operator",
}


def _ends(world: World) -> Table:
    table = Table("Action", "Status", "Label", "Runs", title="Results of the runs")
    ends = Counter((run.action, run.status, _kind_of_label(run.label)) for run in world.runs)
    for (action, status, label), number in sorted(ends.items()):
        colour = {"SUCCESS": "green", "FAILURE": "red"}.get(status, "yellow")
        table.add_row(action, f"[{colour}]{status}[/{colour}]", label, str(number))
    return table


def _kind_of_label(label: str) -> str:
    """Return a label without the parts that differ for each run."""
    return label.partition("#")[0].partition(" until")[0].partition(", reference")[0].strip()


def has_failed(findings: list[Finding]) -> bool:
    """Return whether a promise was broken: a run on hold is not lost."""
    return any(finding.kind is not Kind.HELD for finding in findings)


def _kinds(text: str) -> tuple[str, ...]:
    if text in {"all", "none"}:
        return tuple(KINDS) if text == "all" else ()
    kinds = tuple(name.strip() for name in text.split(",") if name.strip())
    if unknown := [name for name in kinds if name not in KINDS]:
        raise typer.BadParameter(f"'{unknown[0]}' is none of: {', '.join(KINDS)}")
    return kinds


def main(
    runs: Annotated[int, typer.Option(min=1, help="How many requests.")] = 1000,
    minutes: Annotated[float, typer.Option(min=0.1, help="Time limit for new requests.")] = 40,
    seed: Annotated[
        int | None, typer.Option(help="Seed of all choices. Default: a random one, printed.")
    ] = None,
    faults: Annotated[
        str, typer.Option(help=f"Faults to inject: all, none, or some of {', '.join(KINDS)}.")
    ] = "all",
    at_once: Annotated[int, typer.Option(min=1, help="Maximum number of runs in progress.")] = 48,
    settle_minutes: Annotated[
        float, typer.Option(min=0.1, help="How long everything may take to settle.")
    ] = 10,
    broker_restart: Annotated[
        str | None,
        typer.Option(help="Command that restarts the broker of KAFKA_BOOTSTRAP_SERVERS."),
    ] = None,
    folder: Annotated[Path, typer.Option(envvar="SANDBOX_DIR", help="The sandbox's folder.")] = ROOT
    / ".sandbox",
) -> None:
    """Send thousands of runs through the sandbox with faults, then audit."""
    # So that all faults are removed, regardless of who ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    kinds = _kinds(faults)
    if "broker-restart" in kinds and not broker_restart:
        kinds = tuple(kind for kind in kinds if kind != "broker-restart")
        console.print(
            "The broker is not restarted: the sandbox's own broker keeps everything in memory. "
            "For a durable one, start the sandbox with KAFKA_BOOTSTRAP_SERVERS and give "
            "--broker-restart.",
            soft_wrap=True,
        )
    settings = Settings(
        folder=folder,
        runs=runs,
        seed=seed,
        minutes=minutes,
        settle_minutes=settle_minutes,
        faults=kinds,
        at_once=at_once,
        broker_restart=broker_restart,
    )
    console.print(
        f"Seed {seed}: scripts/soak --seed {seed} --runs {runs} makes the same requests again."
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        prepare(folder)
        installation = Installation(read_environment(folder), Stack(folder).outputs())
        with Progress(*columns, console=console) as progress:
            result = Soak(settings, installation, progress).run()
    except (SoakError, DemoError, StackError, SlipwayError, RequestException) as error:
        console.print(f"soak: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    show(result)
    if has_failed(result.findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "--runs 200")
