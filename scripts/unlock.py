"""Shows who holds a service, and frees it if that owner is gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.table import Table
from slipway.approvals.function import ApprovalConfig
from slipway.config import WatchConfig, load
from slipway.errors import ConfigurationError, RunNotFound, SlipwayError
from slipway.runs import executions
from slipway.runs.clients import port_client
from slipway.runs.ledger import Ledger
from slipway.runs.run import service_locks

from scripts.cli import add_names, start, table_console
from scripts.installed import EnvFile, NamePrefix, connect

console = table_console()


@dataclass(frozen=True)
class Holder:
    """Who holds a service.

    Attributes:
        service: the service.
        owner: the run, or the remediation.
        taken_at: since when, ISO 8601.
        state: what the owner does, for people.
        gone: whether the owner has ended, so that nobody needs the lock.
    """

    service: str
    owner: str
    taken_at: str
    state: str
    gone: bool


def holders(config: ApprovalConfig, service: str | None) -> list[Holder]:
    """Everybody who holds a service, or who holds this one."""
    rows = service_locks(config, port_client()).held()
    return [_holder(config, row) for row in rows if service in (None, row["service"])]


def free(config: ApprovalConfig, holder: Holder) -> None:
    """Free a service, if it is still held by the same owner."""
    service_locks(config, port_client()).release(holder.service, holder.owner)


def _holder(config: ApprovalConfig, item: Mapping[str, object]) -> Holder:
    owner = str(item["owner"])
    if item["kind"] == "remediation":
        status = executions.status(load(WatchConfig).remediation_machine_arn, owner)
        state = f"remediation: {status or 'unknown to Step Functions'}"
        return Holder(
            str(item["service"]), owner, str(item["taken_at"]), state, gone=status != "RUNNING"
        )
    row = Ledger(config.runs_table).get(owner) or {}
    try:
        run = port_client().get_run(owner)
        state, gone = run.status_label or run.status, run.ended
    except RunNotFound:
        state, gone = "unknown to Port", True
    pull = f", {row['pr_url']}" if row.get("pr_url") else ""
    action = f"{row['action']}: " if row.get("action") else ""
    state = f"{action}{state}{pull}"
    return Holder(str(item["service"]), owner, str(item["taken_at"]), state, gone)


def _show(found: list[Holder]) -> None:
    table = Table()
    add_names(table, "Service", [holder.service for holder in found])
    add_names(table, "Lock owner", [holder.owner for holder in found])
    for title in ("Since", "State"):
        table.add_column(title, overflow="fold")
    for holder in found:
        style = "yellow" if holder.gone else None
        table.add_row(holder.service, holder.owner, holder.taken_at, holder.state, style=style)
    console.print(table)


def main(
    service: Annotated[
        str | None, typer.Argument(help="The service to free. Without: show all that are held.")
    ] = None,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Show who holds a service, and free it if that owner is gone."""
    try:
        config = connect(env_file, name_prefix)
        found = holders(config, service)
        if not found:
            console.print(f"{service} is free." if service else "No service is locked.")
            return
        _show(found)
        if service is None:
            return
        (holder,) = found
        if not holder.gone:
            raise SlipwayError(
                f"{service} stays locked, because {holder.owner} has not ended ({holder.state}). "
                f"Wait for it, or end it: scripts/cancel {holder.owner}"
            )
        free(config, holder)
        console.print(f"Freed {service}: {holder.owner} has ended ({holder.state}).")
    except ConfigurationError as error:
        console.print(f"unlock: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except SlipwayError as error:
        console.print(f"unlock: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "checkout")
