"""In which order a change between on-demand and provisioned pollers is applied."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODE = "terraform_data.poller_mode"
FUNCTION = "module.function.aws_lambda_function.this"
MAPPING = "module.kafka_trigger.aws_lambda_event_source_mapping.this"


def dependencies() -> dict[str, set[str]]:
    """Each resource with those that it depends on directly."""
    done = subprocess.run(
        [ROOT / "scripts/terraform", f"-chdir={ROOT / 'terraform'}", "graph"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = defaultdict[str, set[str]](set)
    for one, other in re.findall(r'"([^"]+)" -> "([^"]+)";', done.stdout):
        found[one].add(other)
    return found


def reaches(graph: dict[str, set[str]], start: str, goal: str) -> bool:
    seen, left = set[str](), [start]
    while left:
        if (node := left.pop()) not in seen:
            seen.add(node)
            left += graph.get(node, ())
    return goal in seen


def test_functions_change_only_while_no_mapping_reads() -> None:
    graph = dependencies()

    # The mode is replaced, so what depends on it is deleted before, or changed after.
    assert MODE in graph[FUNCTION]
    assert reaches(graph, MAPPING, FUNCTION)
