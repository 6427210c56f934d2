"""Has functions read nothing from Kafka, and waits until none of them is at work any more.

Their event source mappings are disabled, which no apply undoes. The records stay in their topics
until `scripts/resume`.
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
    """Return what a pause does not stop."""
    machines = {
        "delivered later": config.deliver_later_arn,
        "waiting for approval": config.approval_machine_arn,
        "looked after (services)": load(RemediationsConfig).remediation_machine_arn,
    }
    return ", ".join(f"{consumers.running(arn)} {what}" for what, arn in machines.items())


def main(
    functions: Annotated[
        list[str] | None, typer.Argument(help="Functions, as create_service.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All functions that read.")] = False,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Have functions read nothing until they are resumed. Returns when nothing is at work."""
    with refusals("pause", console):
        config = connect(env_file, name_prefix)
        found = consumers.find(name_prefix)
        chosen = consumers.choose(found, functions or [], everything=everything)
        with console.status("Waiting for Lambda") as spinner:
            consumers.switch(chosen, enabled=False, say=spinner.update)
            consumers.drain(chosen, spinner.update)
        names = [consumer.name for consumer in chosen]
        console.print(f"Paused, and nothing is at work: {', '.join(names)}.")
        console.print(f"What has begun goes on: {_going_on(config)}.")
        console.print(f"Resume with: scripts/resume {' '.join(['--all'] if everything else names)}")
        console.print("Until when at the latest: scripts/status")


if __name__ == "__main__":
    start(main, "create_service")
