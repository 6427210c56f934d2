"""Measure Slipway, write `docs/performance.md`, and fail if a figure exceeds its limit.

It counts the requests that reach the stand-ins of Port and GitHub. Only ratios and processor
seconds have limits; wall-clock times depend on the machine and are only reported.
"""

import json
import logging
import os
import platform
import tempfile
import time
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from slipway.catalog.documents import read_document

from tests.bench import baseline
from tests.bench.applied import apply_twice
from tests.bench.cold import first_request_ratio, preview_seconds
from tests.bench.installed import Stopwatch, installation
from tests.bench.page import Figure, page
from tests.bench.played import calls_of_one_decision, flows, timed_creates
from tests.unit.conftest import ROOT

console = Console(highlight=False)


def seconds_of_one_edit() -> float:
    """Return the processor time to read 200 KiB of YAML and set one value in it."""
    comment = "  # -- How many pods of this section run as long as nothing asks for more.\n"
    parts = [f"section{n}:\n{comment}  replicas: 2\n  labels: {{app: x}}\n" for n in range(1850)]
    text = "".join(parts)
    started = time.process_time()
    read_document(text, "yaml").set("section7.replicas", 3)
    return time.process_time() - started


def main() -> None:
    """Measure, print the figures with their limits, and write the page."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        applied = apply_twice(Path(name))
    artifacts = json.loads((ROOT / "build" / "artifacts.json").read_text())
    layers = {name: entry["size"] / 1e6 for name, entry in artifacts.items() if "layer" in name}
    # The logs of the functions are not part of the output.
    logging.disable(logging.CRITICAL)
    os.environ["FAULTS_LOG"] = "CRITICAL"
    with tempfile.TemporaryDirectory() as name, installation(Path(name)) as at:
        at.wire.in_order = False
        watch = Stopwatch(at.wire)
        played = flows(at, Path(name), watch)
        decision = calls_of_one_decision(at, Path(name))
        creates = timed_creates(at, Path(name), watch)
    create = played["create"]
    figures = [
        Figure("GitHub requests of a create", len(create.of("GitHub")), 3),
        Figure("… of which write", create.writes, 2),
        Figure("Port requests of a create", len(create.of("Port")), 5),
        Figure("Round trips of a create, one after the other", creates.depth, 5),
        Figure(
            "Round trips of the baseline to ours",
            round(len(baseline.REQUESTS) / creates.depth, 1),
            3,
            at_least=True,
        ),
        Figure(
            "Cold process to its first request, as a multiple of `import boto3`",
            round(first_request_ratio(), 2),
            2.2,
        ),
        Figure("Processor seconds of `scripts/catalog preview`", round(preview_seconds(), 2), 1),
        Figure("Processor seconds of an edit of 200 KiB", round(seconds_of_one_edit(), 2), 1),
        Figure(
            "Reads and writes of approval requests, for one decision", decision["operations"], 4
        ),
        Figure("Scans and queries for it", decision["scans"], 0),
        *(Figure(f"{name}, zipped, in MB", round(size, 1), 15) for name, size in layers.items()),
    ]
    table = Table("Figure", "Measured", "Limit")
    for figure in figures:
        colour = "green" if figure.holds else "red"
        table.add_row(figure.name, f"[{colour}]{figure.measured:g}[/{colour}]", figure.limit_text)
    console.print(table)
    (ROOT / "docs" / "performance.md").write_text(
        page(
            figures, played, creates, applied, f"{platform.machine()}, {os.cpu_count()} processors"
        )
    )
    console.print(f"docs/performance.md is written. {time.monotonic() - started:.0f} s.")
    if not all(figure.holds for figure in figures):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
