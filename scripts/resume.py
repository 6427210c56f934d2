"""Continues a held run from its first unfinished step, by another execution of its state machine.

A new execution, not a redrive: it has the definition that is installed now, and no time limit.
"""

from typing import Annotated

import typer
from rich.console import Console
from slipway.approvals import machine
from slipway.approvals.function import ApprovalConfig
from slipway.errors import ConfigurationError, SlipwayError
from slipway.runs import executions
from slipway.runs.clients import port_client
from slipway.runs.ledger import Ledger

from scripts.installed import EnvFile, NamePrefix, connect

console = Console(highlight=False, soft_wrap=True)


def resume(run_id: str, config: ApprovalConfig) -> str:
    """Start `<run id>-<n>`.

    Returns:
        The execution's name.

    Raises:
        SlipwayError: the run has ended, never needed an approval, or is being worked on.
    """
    ledger = Ledger(config.runs_table)
    row = ledger.get(run_id)
    if row is None:
        raise SlipwayError(f"Slipway has never taken on run {run_id}.")
    run = port_client().get_run(run_id)
    if run.ended:
        raise SlipwayError(f"Run {run_id} has ended with {run.status}: there is nothing to resume.")
    last = executions.latest(run_id, row)
    status = executions.status(config.approval_machine_arn, last)
    if status is None:
        raise SlipwayError(
            f"Run {run_id} has no execution {last}: it did not wait for an approval. "
            "Its record is among the failed records."
        )
    if status == "RUNNING":
        raise SlipwayError(
            f"Execution {last} is still at work on this run: nothing to resume. "
            f"To end the run: scripts/cancel {run_id}"
        )
    number = ledger.record_resumption(run_id)
    return machine.start(config.approval_machine_arn, run_id, resumed=number)


def main(
    run_id: Annotated[str, typer.Argument(help="The held run, as r_0123456789abcdef.")],
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Continue a held run from its first unfinished step."""
    try:
        execution = resume(run_id, connect(env_file, name_prefix))
    except ConfigurationError as error:
        console.print(f"resume: {error}", style="red", markup=False)
        raise typer.Exit(2) from None
    except SlipwayError as error:
        console.print(f"resume: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(f"Execution {execution} goes on with the run.")


if __name__ == "__main__":
    typer.run(main)
