"""Dashboard, alarms and runbook name only existing metrics and headings."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from slipway.observability import Metric

ROOT = Path(__file__).resolve().parents[2]
OBSERVABILITY = ROOT / "terraform/modules/observability"
# Powertools' own, with the dimensions that it chooses.
# https://docs.powertools.aws.dev/lambda/python/latest/core/metrics/#capturing-cold-start-metric
COLD_START = ("ColdStart", ("function_name", "service"))


def emitted(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return name and dimensions of each metric that the code emits."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        named = [node.args[0]] if node.args else [k.value for k in node.keywords if k.arg == "name"]
        for metric in named:
            if not (isinstance(metric, ast.Attribute) and isinstance(metric.value, ast.Name)):
                continue
            if metric.value.id == "Metric":
                is_count = isinstance(node.func, ast.Name) and node.func.id == "count"
                own = {str(k.arg) for k in node.keywords} - {"value"} if is_count else set()
                # Powertools adds the service by itself.
                yield Metric[metric.attr], tuple(sorted(own | {"service"}))


def test_dashboard_lists_every_metric_in_the_code() -> None:
    files = [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]

    found = {pair for file in files for pair in emitted(file.read_text())}

    listed = json.loads((OBSERVABILITY / "metrics.json").read_text())
    assert {name for name, _ in found} == set(Metric)
    assert {(name, tuple(dimensions)) for name, dimensions in listed.items()} == found | {
        COLD_START
    }


def test_every_alarm_links_to_a_runbook_heading() -> None:
    files = [*OBSERVABILITY.glob("*.tf"), ROOT / "terraform/observability.tf"]
    text = "\n".join(file.read_text() for file in files)
    linked = set(re.findall(r'runbook\s*=\s*"([^"]+)"', text))

    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    # GitHub derives anchors like this.
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert linked
    assert linked - anchors == set()
