"""Show whether each function reads its topic, its backlog and failures.

Warns before time runs out. Kafka keeps records and offsets for a limited time, and the sweep ends a
run that is on hold for too long. The exit status is 1 if there is such a warning.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from confluent_kafka import KafkaException
from rich.table import Table
from slipway.config import load
from slipway.errors import ConfigurationError
from slipway.sweep.decide import Limits
from slipway.sweep.sweep import SweepConfig

from scripts import consumers
from scripts.backlog import Backlog, backlog_of, deadline
from scripts.cli import add_names, start, table_console
from scripts.consumers import Consumer
from scripts.installed import EnvFile, NamePrefix, connect, refusals
from scripts.on_hold import OnHold, OnHoldList

console = table_console()
# Time that an operator needs to act.
NOTICE = timedelta(days=1)
_SHARE = 4  # or this part of the retention, if that is less than a few days


@dataclass(frozen=True)
class Line:
    """One function.

    Attributes:
        consumer: the function.
        backlog: what it has not read; None: the brokers could not be asked.
        held: its items on hold, the oldest first.
    """

    consumer: Consumer
    backlog: Backlog | None
    held: list[OnHold]


def warnings(line: Line, limits: Limits, now: datetime) -> list[str]:
    """Return what is lost or will be lost or ended soon, as sentences."""
    name, backlog = line.consumer.name, line.backlog
    said = []
    if backlog and backlog.lost:
        said.append(f"{name}: Kafka has dropped {backlog.lost} record(s) that it had not read.")
    if backlog and backlog.unread is None and line.consumer.paused_at:
        said.append(
            f"{name}: it has never read anything, so Kafka has no offset for it. It begins at "
            f"{line.consumer.mapping.get('StartingPosition', 'its starting position')}."
        )
    ends = deadline(line.consumer.paused_at, backlog)
    if ends and ends - now < _notice(line):
        how = "kept its data only until" if ends <= now else "keeps its data until"
        said.append(
            f"{name}: Kafka {how} {_clock(ends)}; records that are unread by then are lost. "
            f"Run scripts/resume {name}"
        )
    runs = [held for held in line.held if any(not run.notice for run in held.runs)]
    if runs and (over := runs[0].failed_at + limits.held) - now < NOTICE:
        said.append(
            f"{name}: {runs[0].reference} has been on hold since {_clock(runs[0].failed_at)}; "
            f"Slipway ends its run on {_clock(over)}. Run scripts/replay run {runs[0].reference}"
        )
    return said


def _notice(line: Line) -> timedelta:
    """Return how long before the end the operator is warned."""
    retention = line.backlog.retention if line.backlog else None
    spans = [each for each in (retention.records, retention.offsets) if each] if retention else []
    return min([NOTICE, *(span / _SHARE for span in spans)])


def table(lines: list[Line], now: datetime) -> Table:
    """Return the functions as a table for people."""
    shown = Table()
    add_names(shown, "Function", [line.consumer.name for line in lines])
    for title in ("Reads", "Last result", "Unread", "Oldest", "On hold", "Oldest on hold"):
        shown.add_column(title)
    for line in lines:
        consumer, backlog = line.consumer, line.backlog
        state = consumer.state
        if consumer.paused_at:
            state = f"[yellow]paused since {_clock(consumer.paused_at)}[/yellow]"
            if ends := deadline(consumer.paused_at, backlog):
                state += f"\nuntil {_clock(ends)} at the latest"
        elif state == "Enabled":
            state = "[green]yes[/green]"
        unread = "?" if backlog is None else "–" if backlog.unread is None else str(backlog.unread)
        shown.add_row(
            consumer.name,
            state,
            consumer.mapping.get("LastProcessingResult", ""),
            unread,
            _age(backlog.oldest if backlog else None, now),
            str(len(line.held)),
            _age(line.held[0].failed_at if line.held else None, now),
            style="red" if line.held else None,
        )
    return shown


def gather(found: list[Consumer], held: list[OnHold]) -> tuple[list[Line], str]:
    """Ask the brokers about each function.

    Returns:
        The lines, and why the brokers could not be asked (empty on success).
    """
    lines, silent = [], ""
    for consumer in found:
        backlog = None
        if not silent:  # A broker that did not answer once would cause the same wait again.
            try:
                backlog = backlog_of(consumer)
            except (KafkaException, ConfigurationError, KeyError) as error:
                told = error.args[0].str() if isinstance(error, KafkaException) else str(error)
                silent = (
                    f"Kafka cannot be reached from here ({told}). The backlog is unknown, and a "
                    "retention of seven days is assumed."
                )
        lines.append(Line(consumer, backlog, [h for h in held if h.function == consumer.name]))
    return lines, silent


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %b %H:%M} UTC"


def _age(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    minutes = int((now - moment).total_seconds()) // 60
    days, hours = minutes // 1440, minutes % 1440 // 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"


def main(
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
    if_installed: Annotated[
        bool, typer.Option("--if-installed", help="Print nothing if nothing is installed.")
    ] = False,
) -> None:
    """Show whether each function reads, its backlog, and what is on hold."""
    with refusals("status", console):
        try:
            config = connect(env_file, name_prefix)
        except ConfigurationError:
            if if_installed:
                return
            raise
        with console.status("Looking for items on hold") as spinner:
            held = OnHoldList(config, name_prefix).find(spinner.update)
            spinner.update("Asking Kafka")
            lines, silent = gather(consumers.find(name_prefix), held)
        now = datetime.now(UTC)
        limits = load(SweepConfig).limits
        console.print(table(lines, now))
        if silent:
            console.print(silent, style="dim", markup=False, soft_wrap=True)
        if held:
            console.print(f"{len(held)} on hold: scripts/replay list")
        said = [sentence for line in lines for sentence in warnings(line, limits, now)]
        for sentence in said:
            console.print(sentence, style="bold yellow", markup=False, soft_wrap=True)
        if said:
            raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "")
