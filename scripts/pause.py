"""Pause functions, and wait until no invocation works any more.

The command disables their event source mappings, which no apply undoes. The records stay in their
topics until `scripts/resume`.
"""

from typing import Annotated

import typer
from rich.console import Console
from slipway.approvals.settings import ApprovalConfig
from slipway.config import RemediationsConfig, load

from scripts import consumers
from scripts.cli import start
from scripts.installed import EnvFile, NamePrefix, connect, refusals

console = Console(highlight=False, soft_wrap=True)


def _going_on(config: ApprovalConfig) -> str:
    """Return the work that a pause does not stop."""
    machines = {
        "delivered later": config.deliver_later_arn,
        "waiting for approval": config.approval_machine_arn,
        "being checked (services)": load(RemediationsConfig).remediation_machine_arn,
    }
    return ", ".join(f"{consumers.running(arn)} {what}" for what, arn in machines.items())


def main(
    functions: Annotated[
        list[str] | None,
        typer.Argument(help="Functions, for example create_service.", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All functions that read runs or changes.")
    ] = False,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Pause functions until they are resumed; wait for running invocations."""
    with refusals("pause", console):
        config = connect(env_file, name_prefix)
        found = consumers.find(name_prefix)
        chosen = consumers.choose(found, functions or [], everything=everything)
        with console.status("Waiting for Lambda") as spinner:
            consumers.switch(chosen, enabled=False, say=spinner.update)
            consumers.drain(chosen, spinner.update)
        names = [consumer.name for consumer in chosen]
        console.print(f"Paused, and no invocation is running: {', '.join(names)}.")
        console.print(f"Running work continues: {_going_on(config)}.")
        console.print(f"Resume with: scripts/resume {' '.join(['--all'] if everything else names)}")
        console.print("Deadline: scripts/status")


if __name__ == "__main__":
    start(main, "create_service")
