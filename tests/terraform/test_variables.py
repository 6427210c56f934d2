"""Values that the stack's variables accept and refuse, checked by Terraform.

A row of `tests/terraform/variables` is one rule of `terraform/variables*.tf`. Each value is passed
to `terraform/tests/inputs`, which contains only the stack's variables. Terraform plans all of them
at once and names the line of each value that it refuses.
"""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import ROOT, STACK
from tests.terraform.variables import (
    approvals,
    existing,
    general,
    kafka,
    network,
    remediation,
    reports,
    secrets,
    source,
)
from tests.terraform.variables.rule import Rule


@dataclass
class Case:
    rule: Rule
    value: Any
    is_refused: bool
    messages: list[str] = field(default_factory=list)


CASES = [
    Case(rule, value, is_refused)
    for rule in (
        *general.GENERAL, *general.SWEEP, *existing.EXISTING, *approvals.APPROVALS,
        *reports.REPORTS, *secrets.SECRETS, *kafka.KAFKA, *network.NETWORK,
        *remediation.REMEDIATION, *source.SOURCE,
    )
    for is_refused, values in ((False, rule.accepted), (True, rule.refused))
    for value in values
]  # fmt: skip
# Variables whose rules read each other's values.
TOGETHER = (
    {"approvals", "catalog_dir"},
    {"artifacts_dir", "functions", "sweep"},
    {"kafka", "kafka_mirror", "network"},
    {"run_source", "kafka", "kafka_mirror", "provisioned_pollers", "changes", "workflows"},
)
REQUIRED = {
    "artifacts_dir": str(STACK / "tests" / "artifacts"),
    "catalog_dir": str(ROOT / "catalog"),
    "port": {"org_id": "org_test"},
    "github": {"repositories": {"services": {"name": "acme/services"}}},
}


def with_related(names: Iterable[str]) -> set[str]:
    found = set(names)
    return found.union(*(group for group in TOGETHER if group & found))


def calls_of(cases: Iterable[Case]) -> list[dict[str, tuple[Any, Case | None]]]:
    """Group the cases into few calls: a variable has one value in each.

    Returns:
        Calls of the module: variable → value and the case that it belongs to.
    """
    calls: list[dict[str, tuple[Any, Case | None]]] = []
    taken: list[set[str]] = []
    for case in cases:
        values = case.rule.variables(case.value)
        names = with_related(values)
        place = next((n for n, used in enumerate(taken) if not used & names), len(calls))
        if place == len(calls):
            calls.append({name: (value, None) for name, value in REQUIRED.items()})
            taken.append(set())
        calls[place] |= {name: (value, case) for name, value in values.items()}
        taken[place] |= names
    return calls


def written(value: Any) -> str:
    """Write JSON for Terraform, which evaluates templates in its strings."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def judge(cases: Sequence[Case], folder: Path) -> set[tuple[str, int]]:
    """Let Terraform plan all cases, and record its result in each.

    Returns:
        File and line of each rule that refused something.
    """
    source = written(os.path.relpath(STACK / "tests" / "inputs", folder))
    lines = ['{"module": {']
    cases_of_lines: dict[int, Case | None] = {}
    for number, call in enumerate(calls_of(cases)):
        lines.append(f'{"," if number else ""}"call_{number}": {{"source": {source}')
        for name, (value, case) in call.items():
            lines.append(f', "{name}": {written(value)}')
            cases_of_lines[len(lines)] = case
        lines.append("}")
    (folder / "main.tf.json").write_text("\n".join([*lines, "}}"]))

    terraform(folder, "init", "-input=false")
    planned = terraform(folder, "plan", "-json", "-input=false", "-lock=false", may_fail=True)
    said = [json.loads(line) for line in planned.splitlines()]

    rules = set()
    for diagnostic in [line["diagnostic"] for line in said if line["type"] == "diagnostic"]:
        assert diagnostic["summary"] == "Invalid value for variable", diagnostic
        message, _, origin = diagnostic["detail"].partition("\n\n")
        case = cases_of_lines[diagnostic["range"]["start"]["line"]]
        assert case is not None, diagnostic
        case.messages.append(message)
        place = re.search(r"(variables[\w.]*\.tf):(\d+)", origin)
        assert place is not None, diagnostic
        rules.add((place[1], int(place[2])))
    return rules


def terraform(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    ended = subprocess.run(
        [ROOT / "scripts" / "terraform", f"-chdir={folder}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert may_fail or ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def rules_that_refused(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("variables")
    # Rules that read a second variable run in the plan, which Terraform makes only for valid
    # values.
    return judge(CASES, folder) | judge([case for case in CASES if not case.messages], folder)


def identifier(case: Case) -> str:
    return f"{case.rule.message}: {str(case.value)[:50]}"


@pytest.mark.usefixtures("rules_that_refused")
@pytest.mark.parametrize("case", [case for case in CASES if case.is_refused], ids=identifier)
def test_variable_refuses_value(case: Case) -> None:
    assert [message for message in case.messages if case.rule.message in message], case.messages


@pytest.mark.usefixtures("rules_that_refused")
@pytest.mark.parametrize("case", [case for case in CASES if not case.is_refused], ids=identifier)
def test_variable_accepts_value(case: Case) -> None:
    assert case.messages == []


def test_every_rule_refuses_a_value(rules_that_refused: set[tuple[str, int]]) -> None:
    there = {
        (file.name, number)
        for file in STACK.glob("variables*.tf")
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if line == "  validation {"
    }

    assert len(there) > 70
    assert there - rules_that_refused == set()


def test_test_inputs_equal_the_stack_variables() -> None:
    linked = {link.name: link.resolve() for link in (STACK / "tests" / "inputs").glob("*.tf")}

    assert {name for name, file in linked.items() if file != STACK / name} == {"main.tf"}
    assert {file.name for file in STACK.glob("variables*.tf")} <= linked.keys()


def test_cases_share_no_variable_within_a_call() -> None:
    for call in calls_of(CASES):
        cases = Counter(id(case) for _, case in call.values() if case is not None)
        expected = {
            id(case): len(case.rule.variables(case.value)) for _, case in call.values() if case
        }

        assert cases == expected
