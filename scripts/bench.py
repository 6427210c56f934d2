"""Counts and ratios of the create flow: requests of one create, import time, sizes.

Nothing here is a timed test. Requests are counted by the sandbox's servers; the import time is set
against that of boto3 alone, taken in turn in the same run.
"""

import json
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import requests
import typer
from rich.console import Console
from rich.table import Table

from scripts.apply_sandbox import ROOT, StackError, read_environment
from scripts.demo import INPUTS, DemoError, Story, wait_for

IMPORT_ROUNDS = 9
HANDLER = "functions.create_service.handler"

console = Console(highlight=False)


def import_seconds(module: str) -> float:
    """How long a fresh interpreter takes to import a module."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    environment = {"AWS_DEFAULT_REGION": "eu-west-1", "PATH": "", "PYTHONPATH": f"{ROOT}/shared"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def import_ratio() -> float:
    """Import time of the handler as a multiple of boto3's: the median of pairs."""
    import_seconds(HANDLER)  # The first one writes the bytecode.
    pairs = [(import_seconds("boto3"), import_seconds(HANDLER)) for _ in range(IMPORT_ROUNDS)]
    return statistics.median(handler / boto3 for boto3, handler in pairs)


def requests_of_one_create(folder: Path) -> dict[str, int]:
    """How often one create calls GitHub and Port, the function being warm."""
    env = read_environment(folder)
    story = Story(folder)
    servers = {
        "GitHub": env["GITHUB_API_URL"].removesuffix("/api/v3"),
        "Port": env["PORT_BASE_URL"],
    }
    # The first one warms the function, and its access token, up.
    for _ in range(2):
        name = story.free_name()
        for base in servers.values():
            requests.delete(f"{base}/_sandbox/requests", timeout=10).raise_for_status()
        run_id = story.execute("create_service", {"service_name": name, **INPUTS})
        wait_for("The create", partial(_reported, servers["Port"], run_id))
    counted = {}
    for name, base in servers.items():
        seen = requests.get(f"{base}/_sandbox/requests", timeout=10).json()
        paths = [request["path"] for request in seen]
        counted[name] = sum(
            path.startswith(("/api/", "/v1/")) and not path.endswith("/access_token")
            for path in paths
        )
    # One request to Port was this command's: the run's execution.
    return {**counted, "Port": counted["Port"] - 1}


def _reported(base: str, run_id: str) -> bool | None:
    """Whether the function is done with this run: its label is the last thing it writes."""
    seen = requests.get(f"{base}/_sandbox/requests", timeout=10).json()
    return {"method": "PATCH", "path": f"/v1/actions/runs/{run_id}"} in seen or None


def main(
    folder: Annotated[
        Path, typer.Option(envvar="SANDBOX_DIR", help="A sandbox in which the demo was played.")
    ] = ROOT / ".sandbox",
) -> None:
    """Print the figures of the create flow beside their limits; fails if one is over."""
    started = time.monotonic()
    artifacts = json.loads((ROOT / "build" / "artifacts.json").read_text())
    layers = {name: entry["size"] / 1e6 for name, entry in artifacts.items() if "layer" in name}
    try:
        counted = requests_of_one_create(folder)
    except (StackError, DemoError) as error:
        console.print(f"[red]bench:[/red] {error}\nPlay the demo first: make demo", soft_wrap=True)
        raise typer.Exit(1) from None
    figures = [
        ("GitHub requests of one create, without the token exchange", counted["GitHub"], 9),
        ("Port requests of one create, with a warm token", counted["Port"], 7),
        ("Import of the handler, as a multiple of boto3's", round(import_ratio(), 2), 2),
        *((f"{name}, zipped, in MB", round(size, 1), 15) for name, size in layers.items()),
    ]
    table = Table("Figure", "Measured", "Limit")
    for name, measured, limit in figures:
        colour = "green" if measured <= limit else "red"
        table.add_row(name, f"[{colour}]{measured}[/{colour}]", f"≤ {limit}")
    console.print(table)
    console.print(f"Measured in {time.monotonic() - started:.0f} s.")
    if any(measured > limit for _, measured, limit in figures):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
