"""Show locked services, and unlock one whose lock owner has ended."""

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.table import Table
from slipway.approvals.settings import ApprovalConfig
from slipway.config import RemediationsConfig, load
from slipway.errors import ConfigurationError, RunNotFound, SlipwayError
from slipway.runs import executions
from slipway.runs.clients import port_client
from slipway.runs.ledger import Ledger, timestamp
from slipway.runs.lock import Lock, Owner
from slipway.runs.run import service_locks

from scripts.cli import add_names, start, table_console
from scripts.installed import EnvFile, NamePrefix, connect

console = table_console()


@dataclass(frozen=True)
class Locked:
    """A locked service.

    Attributes:
        lock: the lock.
        state: what the lock owner does, for people.
        owner_ended: whether the lock owner has ended, so that the lock is not needed.
    """

    lock: Lock
    state: str
    owner_ended: bool


def locked_services(config: ApprovalConfig, service: str | None) -> list[Locked]:
    """List all locked services, or this one if it is locked."""
    found = service_locks(config, port_client()).all()
    return [_locked(config, lock) for lock in found if service in (None, lock.service)]


def unlock(config: ApprovalConfig, lock: Lock) -> None:
    """Unlock a service, if its lock still has the same owner."""
    service_locks(config, port_client()).release(lock.service, lock.owner.id)


def _locked(config: ApprovalConfig, lock: Lock) -> Locked:
    if lock.owner.kind == "remediation":
        status = executions.status(load(RemediationsConfig).remediation_machine_arn, lock.owner.id)
        state = f"remediation: {status or 'unknown to Step Functions'}"
        return Locked(lock, state, owner_ended=status != "RUNNING")
    state, ended = _run_state(lock.owner, Ledger(config.runs_table))
    return Locked(lock, state, ended)


def _run_state(owner: Owner, ledger: Ledger) -> tuple[str, bool]:
    """Return the state of a run, for people, and whether it has ended."""
    row = ledger.get(owner.id) or {}
    try:
        run = port_client().get_run(owner.id)
        state, ended = run.status_label or run.status, run.ended
    except RunNotFound:
        state, ended = "unknown to Port", True
    pull = f", {row['pr_url']}" if row.get("pr_url") else ""
    action = f"{row['action']}: " if row.get("action") else ""
    return f"{action}{state}{pull}", ended


def _show(found: list[Locked]) -> None:
    table = Table()
    add_names(table, "Service", [each.lock.service for each in found])
    add_names(table, "Lock owner", [each.lock.owner.id for each in found])
    for title in ("Since", "State"):
        table.add_column(title, overflow="fold")
    for each in found:
        lock, style = each.lock, "yellow" if each.owner_ended else None
        since = timestamp(lock.taken_at)
        table.add_row(lock.service, lock.owner.id, since, each.state, style=style)
    console.print(table)


def main(
    service: Annotated[
        str | None,
        typer.Argument(help="Unlock this service. Default: show all locks."),
    ] = None,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Show locked services, and unlock one whose lock owner has ended."""
    try:
        config = connect(env_file, name_prefix)
        found = locked_services(config, service)
        if not found:
            console.print(f"{service} is free." if service else "No service is locked.")
            return
        _show(found)
        if service is None:
            return
        (locked,) = found
        owner, state = locked.lock.owner.id, locked.state
        if not locked.owner_ended:
            raise SlipwayError(
                f"{service} stays locked, because {owner} has not ended ({state}). "
                f"Wait for it, or end it: scripts/cancel {owner}"
            )
        unlock(config, locked.lock)
        console.print(f"Unlocked {service}: {owner} has ended ({state}).")
    except ConfigurationError as error:
        console.print(f"unlock: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except SlipwayError as error:
        console.print(f"unlock: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "checkout")
