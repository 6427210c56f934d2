"""Resume a run on hold, or functions that were paused.

A run resumes in a new execution, not by a redrive: a new execution uses the installed definition
and has no time limit. `scripts/replay` does the same for everything on hold.
"""

import re
from typing import Annotated

import typer
from rich.console import Console
from slipway.approvals.settings import ApprovalConfig
from slipway.changes import approval_machine as machine
from slipway.errors import ConfigurationError, SlipwayError
from slipway.runs import executions
from slipway.runs.clients import port_client
from slipway.runs.ledger import Ledger

from scripts import consumers
from scripts.cli import start
from scripts.installed import EnvFile, NamePrefix, connect, refusals
from scripts.words import request_of

console = Console(highlight=False, soft_wrap=True)
_RUN = re.compile(r"r(un)?_[A-Za-z0-9]+")


def continue_run(run_id: str, config: ApprovalConfig) -> str:
    """Start the execution `<run id>-<n>`.

    Returns:
        What was done, as a sentence.

    Raises:
        SlipwayError: the run has ended, never needed an approval, or has a running execution.
    """
    ledger = Ledger(config.runs_table)
    row = ledger.get(run_id)
    if row is None:
        raise SlipwayError(f"Slipway never started run {run_id}.")
    port = port_client()
    run = port.get_run(run_id)
    if run.ended:
        raise SlipwayError(f"Run {run_id} has ended with {run.status}: there is nothing to resume.")
    last = executions.latest(run_id, row)
    status = executions.status(config.approval_machine_arn, last)
    if status is None:
        raise SlipwayError(
            f"Run {run_id} has no execution {last}: it did not wait for an approval. "
            f"Its record is among the failed records: scripts/replay run {run_id}"
        )
    if status == "RUNNING":
        raise SlipwayError(
            f"Execution {last} is still running for this run: nothing to resume. "
            f"To end the run: scripts/cancel {run_id}"
        )
    number = ledger.record_resumption(run_id)
    execution = machine.start(config.approval_machine_arn, run_id, resumed=number)
    return f"Resumed {request_of(run, port)} as execution {execution}."


def _read_again(names: list[str], name_prefix: str, *, everything: bool) -> None:
    chosen = consumers.choose(consumers.find(name_prefix), names, everything=everything)
    with console.status("Waiting for Lambda") as spinner:
        consumers.switch(chosen, enabled=True, say=spinner.update)
    names = [consumer.name for consumer in chosen]
    console.print(f"Reading again from where they stopped: {', '.join(names)}.")


def main(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Runs on hold (r_0123456789abcdef), or paused functions."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All functions that read runs or changes.")
    ] = False,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Resume runs from their first unfinished step, or paused functions."""
    with refusals("resume", console):
        named = targets or []
        runs = [target for target in named if _RUN.fullmatch(target)]
        if runs and (everything or len(runs) < len(named)):
            raise ConfigurationError("Name either runs or functions.")
        config = connect(env_file, name_prefix)
        for run_id in runs:
            console.print(continue_run(run_id, config))
        if not runs:
            _read_again(named, name_prefix, everything=everything)


if __name__ == "__main__":
    start(main, "r_0123456789abcdef")
