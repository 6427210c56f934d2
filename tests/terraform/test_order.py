"""The order in which an apply changes functions, event source mappings, catalog and policy."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODE = "terraform_data.poller_mode"
FUNCTION = "module.function.aws_lambda_function.this"
CHECK = "aws_lambda_invocation.check_catalog"
CHECKER = "module.check_catalog.aws_lambda_function.this"
CATALOG = "aws_s3_object.catalog"
POLICY = "aws_s3_object.policy"
MAPPING = "module.kafka_trigger.aws_lambda_event_source_mapping.this"


def dependencies() -> dict[str, set[str]]:
    """Return each resource with its direct dependencies."""
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


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return dependencies()


def test_functions_change_only_while_mappings_are_disabled(graph: dict[str, set[str]]) -> None:
    # The mode is replaced, so its dependents are deleted before or changed after it.
    assert MODE in graph[FUNCTION]
    assert reaches(graph, MAPPING, FUNCTION)


@pytest.mark.parametrize("changed", [FUNCTION, POLICY])
def test_catalog_check_precedes_functions_and_policy(
    changed: str, graph: dict[str, set[str]]
) -> None:
    assert reaches(graph, changed, CHECK)


def test_catalog_check_depends_only_on_its_function(graph: dict[str, set[str]]) -> None:
    assert reaches(graph, CHECK, CHECKER)
    assert reaches(graph, CHECK, CATALOG)
    assert not reaches(graph, CHECK, FUNCTION)
    assert not reaches(graph, CHECK, POLICY)
