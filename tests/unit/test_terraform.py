"""The Terraform code as text: what no plan of it would show to be missing."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "terraform"
FILES = [*TERRAFORM.glob("*.tf"), *TERRAFORM.glob("modules/*/*.tf")]


def blocks(kind: str) -> Iterator[tuple[Path, str, str]]:
    """File, name and text of each block of the top level (`variable "port" {`)."""
    for file in FILES:
        pattern = rf'^{kind} "(\w+)" (?:"\w+" )?\{{\n(.*?)^\}}'
        for found in re.finditer(pattern, file.read_text(), re.MULTILINE | re.DOTALL):
            yield file, found[1], found[2]


VARIABLES = list(blocks("variable"))


def test_given_the_validations_when_the_tests_are_read_then_each_is_seen_to_refuse() -> None:
    refused: Counter[str] = Counter()
    for file in TERRAFORM.glob("tests/**/*.tftest.hcl"):
        for expected in re.findall(r"expect_failures = \[(.*?)\]", file.read_text(), re.DOTALL):
            refused.update(re.findall(r"var\.(\w+)", expected))

    validations: Counter[str] = Counter()
    for _, name, text in VARIABLES:
        validations[name] += len(re.findall(r"^  validation \{", text, re.MULTILINE))

    assert validations.total() > 80
    assert {name for name, count in validations.items() if refused[name] < count} == set()


def test_given_the_refusals_when_tested_then_by_the_variables_of_the_stack_itself() -> None:
    tested = {link.name: link.resolve() for link in TERRAFORM.glob("tests/inputs/*.tf")}

    assert {name for name, file in tested.items() if file != TERRAFORM / name} == {"main.tf"}
    assert {file.name for file, _, _ in VARIABLES if file.parent == TERRAFORM} <= tested.keys()


def test_given_the_roles_when_read_then_a_boundary_can_bound_each() -> None:
    roles = [(file, text) for file, name, text in blocks("resource") if name == "aws_iam_role"]

    assert len(roles) > 5
    assert [file for file, text in roles if "permissions_boundary" not in text] == []


def test_given_a_variable_or_an_output_when_read_then_it_is_described() -> None:
    described = [*VARIABLES, *blocks("output")]

    assert [name for _, name, text in described if "description" not in text] == []
