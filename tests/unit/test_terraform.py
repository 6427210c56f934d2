"""The Terraform code as text: omissions that a plan would not show."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts import permissions

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "terraform"
FILES = [*TERRAFORM.glob("*.tf"), *TERRAFORM.glob("modules/*/*.tf")]


def blocks(kind: str) -> Iterator[tuple[Path, str, str]]:
    """Return file, name and text of each top-level block (`variable "port" {`)."""
    for file in FILES:
        pattern = rf'^{kind} "(\w+)" (?:"\w+" )?\{{\n(.*?)^\}}'
        for found in re.finditer(pattern, file.read_text(), re.MULTILINE | re.DOTALL):
            yield file, found[1], found[2]


VARIABLES = list(blocks("variable"))


def test_every_module_validation_has_a_refused_value() -> None:
    # tests/terraform/test_variables.py covers the stack's own variables.
    refused: Counter[str] = Counter()
    for file in TERRAFORM.glob("tests/*.tftest.hcl"):
        for expected in re.findall(r"expect_failures = \[(.*?)\]", file.read_text(), re.DOTALL):
            refused.update(re.findall(r"var\.(\w+)", expected))

    validations: Counter[str] = Counter()
    for file, name, text in VARIABLES:
        if file.parent != TERRAFORM:
            validations[name] += len(re.findall(r"^  validation \{", text, re.MULTILINE))

    assert validations.total() > 5
    assert {name for name, count in validations.items() if refused[name] < count} == set()


def test_terraform_tests_allow_further_actions() -> None:
    files = [*TERRAFORM.rglob("*.tftest.hcl"), *TERRAFORM.glob("tests/**/*.hcl")]
    actions = re.compile(rf"\b({'|'.join(permissions.actions())})\b")
    runs = [(file.name, run) for file in files for run in file.read_text().split('\nrun "')]

    assert len(runs) > 30
    # A run with an actions input plans its own catalog.
    assert [
        (name, run.partition('"')[0])
        for name, run in runs
        if actions.search(run) and "catalog_dir" not in run
    ] == []


def test_every_role_takes_path_boundary_and_suffix() -> None:
    roles = [(file, text) for file, name, text in blocks("resource") if name == "aws_iam_role"]

    assert len(roles) > 3
    for argument in ("path ", "permissions_boundary ", "${var.roles.suffix}"):
        assert [file for file, text in roles if argument not in text] == []


def test_no_apply_resumes_a_paused_function() -> None:
    mappings = [
        (file, text)
        for file, name, text in blocks("resource")
        if name == "aws_lambda_event_source_mapping"
    ]

    assert len(mappings) == 2
    ignored = re.compile(r"^    ignore_changes +=.*\benabled\b", re.MULTILINE)
    assert [file for file, text in mappings if not ignored.search(text)] == []


def test_every_terraform_variable_and_output_is_described() -> None:
    described = [*VARIABLES, *blocks("output")]

    assert [name for _, name, text in described if "description" not in text] == []
