"""Cancel a run that waits, with its request and pull request."""

import json
from typing import Annotated

import boto3
import typer
from rich.console import Console
from slipway.errors import ConfigurationError, SlipwayError
from slipway.runs.clients import port_client

from scripts.cli import start
from scripts.installed import ALIAS, EnvFile, NamePrefix, approval_function, connect
from scripts.words import request_of

console = Console(highlight=False, soft_wrap=True)


def cancel(run_id: str, reason: str, name_prefix: str, *, label: str = "Cancelled") -> str:
    """End the run in Port if it is open, and clean up after it.

    Args:
        run_id: the run.
        reason: shown on its page.
        name_prefix: Terraform's.
        label: what its page shows instead of the status.

    Returns:
        What was done, as a sentence.
    """
    port = port_client()
    run = port.get_run(run_id)
    if not run.ended:
        port.add_log(run_id, f"{label} by an operator: {reason}")
        port.update_run(run_id, status="FAILURE", status_label=label, summary=reason)
    answer = boto3.client("lambda").invoke(
        FunctionName=approval_function(name_prefix),
        Qualifier=ALIAS,
        Payload=json.dumps({"schema_version": 1, "step": "cancel", "run_id": run_id}),
    )
    if "FunctionError" in answer:
        raise SlipwayError(
            f"The run has ended, but cleaning up failed: {answer['Payload'].read().decode()}. "
            "Run this command again; the function's log says more."
        )
    what = request_of(run, port)
    how = f"{what} had already ended ({run.status})" if run.ended else f"{label} {what}"
    return f"{how}. Its approval request is withdrawn and the service is free."


def main(
    run_id: Annotated[str, typer.Argument(help="Run id, for example r_0123456789abcdef.")],
    reason: Annotated[
        str, typer.Option(help="Shown on the run's page.")
    ] = "Cancelled by an operator.",
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Cancel a run that waits for an approval or a merge."""
    try:
        connect(env_file, name_prefix)
        console.print(cancel(run_id, reason, name_prefix))
    except ConfigurationError as error:
        console.print(f"cancel: {error}", style="red", markup=False)
        raise typer.Exit(2) from None
    except SlipwayError as error:
        console.print(f"cancel: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "r_0123456789abcdef --reason 'Wrong service'")
