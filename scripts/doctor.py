"""Check whether an installation has what it needs, and name each fix.

The command changes nothing. The checks are independent of each other. The exit status is 1 if any
of them finds a fault.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import requests
import typer
from botocore.exceptions import BotoCoreError
from github import GithubException
from rich.console import Console
from rich.table import Table
from rich.text import Text
from slipway.errors import ConfigurationError, SlipwayError

from scripts.checks import aws, github, kafka, port
from scripts.checks.result import Check, Installation, Result
from scripts.cli import CatalogFolder, start
from scripts.environment import read_settings
from scripts.port_definitions import CATALOG
from scripts.port_setup import SetupError

CHECKS: list[tuple[str, Check]] = [
    ("Port: credentials", port.sign_in),
    ("Port: role", port.role),
    ("Port: blueprints and actions", port.definitions),
    ("Port: consumers of the actions", port.consumers),
    ("Kafka: Port's brokers", kafka.brokers),
    ("Kafka: topics", kafka.topics),
    ("Kafka: consumer groups", kafka.consumer_groups),
    ("GitHub: permissions", github.permissions),
    ("GitHub: services repository", github.repository),
    ("GitHub: base branch", github.protection),
    ("GitHub: signatures", github.signatures),
    ("GitHub: branches of runs", github.own_branches),
    ("GitHub: workflows", github.workflow),
    ("GitHub: secrets", github.secrets),
    ("GitHub: restart environment", github.restart_environment),
    ("GitHub: reports", github.reports_variable),
    ("AWS: API Gateway's log role", aws.api_log_role),
    ("AWS: secrets", aws.secrets),
    ("AWS: functions", aws.functions),
    ("AWS: catalog", aws.catalog),
    ("AWS: e-mails to approvers", aws.approvers),
    ("AWS: repairs of services", aws.repairs),
]


def examine(installation: Installation, checks: list[tuple[str, Check]] = CHECKS) -> list[Result]:
    """Run all checks.

    A check that cannot run is a fault of its own and does not stop the others.
    """
    return [row for name, check in checks for row in _examine(name, check, installation)]


def _examine(name: str, check: Check, installation: Installation) -> list[Result]:
    try:
        found = check(installation)
        return found if isinstance(found, list) else [found]
    except ConfigurationError as error:
        return [Result(name, False, "not set up", str(error))]
    except (SetupError, SlipwayError) as error:
        return [
            Result(name, False, str(error), "Read the message, and check the credentials first.")
        ]
    except (GithubException, requests.RequestException, BotoCoreError) as error:
        cure = "Check the address and that this network may reach it."
        return [Result(name, False, f"{type(error).__name__}: {error}", cure)]
    except Exception as error:  # noqa: BLE001  the other checks go on
        # The error's text may quote a secret.
        kind = type(error).__name__
        cure = "Check the settings that this check needs; if they are right, report it as a bug."
        return [Result(name, False, f"could not be checked ({kind})", cure)]


def table(results: list[Result]) -> Table:
    """Format the results for people."""
    shown = Table("", "Check")
    shown.add_column("Found", overflow="fold", ratio=1)
    # As wide as the longest variable, so that a terminal breaks no name.
    width = len("KAFKA_BOOTSTRAP_SERVERS,")
    shown.add_column("Fix", overflow="fold", ratio=1, min_width=width)
    cures: set[str] = set()
    marks = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}
    for result in results:
        mark, style = marks[result.ok]
        cure = result.cure if result.ok is False else ""
        if cure in cures:
            cure = "as above"
        elif cure:
            cures.add(cure)
        row = (mark, result.name, result.detail, cure)
        shown.add_row(*(Text(cell, style=style if n == 0 else "") for n, cell in enumerate(row)))
    return shown


def main(
    *,
    env_file: Annotated[
        Path | None, typer.Option(help="Environment file (KEY=value), for example .sandbox/env.")
    ] = None,
    name_prefix: Annotated[str, typer.Option(help="Terraform's name_prefix.")] = "slipway",
    catalog: CatalogFolder = CATALOG,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Check what an installation needs, without changing anything."""
    console = Console(highlight=False)
    try:
        results = examine(Installation(read_settings(env_file), name_prefix, catalog))
    except ConfigurationError as error:
        Console(stderr=True).print(Text(f"doctor: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=2, ensure_ascii=False))
    else:
        console.print(table(results))
    faults = sum(result.ok is False for result in results)
    if not as_json:
        console.print(f"{faults} fault(s)" if faults else "No fault found.")
    if faults:
        raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "")
