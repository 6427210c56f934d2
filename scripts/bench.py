"""Measure counts and ratios: requests, AWS calls, import time, sizes.

No figure depends on wall time. The sandbox's servers count the requests. The import time is
relative to that of boto3, measured alternately in the same run.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from slipway.catalog.documents import read_document

from scripts.apply_sandbox import ROOT, StackError, knob, read_environment
from scripts.cli import start
from scripts.demo import APPROVER, INPUTS, DemoError, Story, merge, wait_for

IMPORT_ROUNDS = 9
WAITING_SECONDS = 10
HANDLER = "functions.action.handler"

console = Console(highlight=False)


def import_seconds(module: str) -> float:
    """Return how long a fresh interpreter takes to import a module."""
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
    """Return the handler's import time relative to boto3's (median)."""
    import_seconds(HANDLER)  # The first import writes the bytecode.
    pairs = [(import_seconds("boto3"), import_seconds(HANDLER)) for _ in range(IMPORT_ROUNDS)]
    return statistics.median(handler / boto3 for boto3, handler in pairs)


def seconds_of_one_edit() -> float:
    """Return the processor time of setting one value in 200 KiB of YAML."""
    comment = "  # -- How many pods of this section run as long as nothing asks for more.\n"
    parts = [f"section{n}:\n{comment}  replicas: 2\n  labels: {{app: x}}\n" for n in range(1850)]
    text = "".join(parts)
    started = time.process_time()
    read_document(text, "yaml").set("section7.replicas", 3)
    return time.process_time() - started


def requests_of_one_create(folder: Path) -> dict[str, int]:
    """Return how often one create calls GitHub and Port, with a warm function."""
    env = read_environment(folder)
    story = Story(folder)
    # The first call warms up the function and its access token.
    for _ in range(2):
        name = story.free_name("my-demo-service")
        for part in ("port", "github"):
            knob(env, part, "DELETE", "requests")
        run_id = story.execute("create_service", {"service_name": name, **INPUTS})
        wait_for("The create", partial(_reported, env, run_id))
    counted = {}
    for name in ("GitHub", "Port"):
        paths = [one["path"] for one in knob(env, name.lower(), "GET", "requests")]
        counted[name] = sum(
            path.startswith(("/api/", "/v1/")) and not path.endswith("/access_token")
            for path in paths
        )
    # This command itself sent one request to Port: the run's execution.
    return {**counted, "Port": counted["Port"] - 1}


def _reported(env: Mapping[str, str], run_id: str) -> bool | None:
    """Return whether the function has finished this run.

    The label is the last thing that it writes.
    """
    seen = knob(env, "port", "GET", "requests")
    wanted = ("PATCH", f"/v1/actions/runs/{run_id}")
    return wanted in {(one["method"], one["path"]) for one in seen} or None


def calls_of_one_approval(folder: Path) -> dict[str, int]:
    """Count AWS calls of the approval function while waiting and deciding."""
    story = Story(folder)
    recorded = folder / "data" / "aws" / "aws-calls.jsonl"
    name = story.free_name("my-demo-service")
    created = story.execute("create_service", {"service_name": name, **INPUTS})
    run = wait_for("A pull request", lambda: story.proposed(created))
    merge(story.pull_request(run))
    wait_for("The create's end", lambda: story.ended(created))
    run_id = story.execute("upscale_service", {"step": 1}, entity=name)
    wait_for("The approval request", lambda: story.waiting(run_id))
    wait_for("The wait", lambda: _began_to_wait(recorded, run_id))
    before = len(recorded.read_text().splitlines())
    time.sleep(WAITING_SECONDS)
    waiting = _approval_calls(recorded, before)
    before = len(recorded.read_text().splitlines())
    story.decide(run_id, "DECLINE", APPROVER, "Only measured.")
    wait_for("The run's end", lambda: story.ended(run_id))
    calls = _approval_calls(recorded, before)
    told = next(n for n, call in enumerate(calls) if call["operation"] == "SendTaskSuccess")
    rows = [c["operation"] for c in calls[:told] if "approvals" in json.dumps(c["parameters"])]
    return {
        "waiting": len(waiting),
        "operations": sum(operation in {"GetItem", "UpdateItem"} for operation in rows),
        "scans": sum(call["operation"] in {"Scan", "Query"} for call in calls),
    }


def _approval_calls(recorded: Path, start: int) -> list[dict[str, Any]]:
    calls = [json.loads(line) for line in recorded.read_text().splitlines()[start:]]
    return [call for call in calls if (call["function"] or "").endswith("-approval")]


def _began_to_wait(recorded: Path, run_id: str) -> bool | None:
    """Return whether the state machine's task token is in the request's row."""
    found = (
        call["operation"] == "UpdateItem" and f"{run_id}.1" in json.dumps(call["parameters"])
        for call in _approval_calls(recorded, 0)
    )
    return any(found) or None


def main(
    folder: Annotated[
        Path, typer.Option(envvar="SANDBOX_DIR", help="A sandbox in which the demo was played.")
    ] = ROOT / ".sandbox",
) -> None:
    """Print the figures with their limits; fail if one exceeds its limit."""
    started = time.monotonic()
    artifacts = json.loads((ROOT / "build" / "artifacts.json").read_text())
    layers = {name: entry["size"] / 1e6 for name, entry in artifacts.items() if "layer" in name}
    try:
        counted = requests_of_one_create(folder)
        approval = calls_of_one_approval(folder)
    except (StackError, DemoError) as error:
        console.print(f"[red]bench:[/red] {error}\nPlay the demo first: make demo", soft_wrap=True)
        raise typer.Exit(1) from None
    figures = [
        ("GitHub requests of one create, without the token exchange", counted["GitHub"], 9),
        ("Port requests of one create, with a warm token", counted["Port"], 7),
        (f"AWS calls while a request waits {WAITING_SECONDS} s", approval["waiting"], 0),
        ("Single-item operations on requests, for one decision", approval["operations"], 4),
        ("Scans and queries for it, until the run has ended", approval["scans"], 0),
        ("Import of the handler, as a multiple of boto3's", round(import_ratio(), 2), 2),
        ("Processor seconds of an edit of 200 KiB", round(seconds_of_one_edit(), 2), 1),
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
    start(main, "")
