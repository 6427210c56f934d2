"""`scripts/catalog`: check, preview, new."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from slipway.catalog.check import check_catalog
from slipway.catalog.reading import read_folder
from slipway.errors import SlipwayError
from typer.testing import CliRunner, Result

from scripts.catalog import app, read_variables
from scripts.new_catalog_action import new_files
from tests.catalogs.samples import ACME, ROOT, SHIPPED

INPUTS = {
    "bucket_name": "invoices",
    "team": "payments",
    "environment": "Production",
    "purpose": "What customers pay",
    "cost": "5",
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def typed(folder: Path, value: object) -> Path:
    path = folder / "inputs.json"
    path.write_text(json.dumps(value))
    return path


def test_check_passes_and_names_unchecked_settings() -> None:
    result = run("check")

    assert result.exit_code == 0
    assert "The catalog has no fault: 2 kinds, 7 actions." in result.output
    assert "Repositories were not checked" in result.output
    assert "The approval policy was not checked" in result.output


def test_check_prints_each_fault_and_fails(tmp_path: Path) -> None:
    shutil.copytree(ACME, tmp_path / "catalog")
    place = tmp_path / "catalog/service/resource.yaml"
    place.write_text(place.read_text().replace("health:", "helth:"))

    result = run("check", "--catalog", tmp_path / "catalog")

    assert result.exit_code == 1
    assert "service/resource.yaml:28: The key 'helth' is unknown." in result.output


@pytest.mark.parametrize("suffix", [".tfvars", ".tfvars.json"])
def test_check_reads_the_variables(tmp_path: Path, suffix: str) -> None:
    values: dict[str, Any] = {
        "github": {"repositories": {"other": {"name": "acme/other"}}},
        "approvals": {"rules": [{"actions": ["upscale_service", "old"], "environments": ["*"]}]},
    }
    path = tmp_path / f"acme{suffix}"
    hcl = (
        'github = { repositories = { other = { name = "acme/other" } } }\n'
        'approvals = { rules = [{ actions = ["upscale_service", "old"], environments = ["*"] }] }\n'
    )
    path.write_text(json.dumps(values) if suffix.endswith("json") else hcl)

    result = run("check", "--tfvars", path)

    assert result.exit_code == 1
    assert "The map of repositories has no 'services'" in result.output
    assert read_variables(path).approvals == values["approvals"]


def test_check_names_unmatched_actions_and_rules(tmp_path: Path) -> None:
    path = tmp_path / "acme.tfvars.json"
    rules = [{"actions": ["upscale_service", "old"], "environments": ["*"]}]
    path.write_text(
        json.dumps(
            {
                "github": {"repositories": {"services": {"name": "acme/services"}}},
                "approvals": {"rules": rules},
            }
        )
    )

    result = run("check", "--tfvars", path)

    assert result.exit_code == 0
    assert "No rule matches 'delete_service'" in result.output
    assert "'upscale_service'" not in result.output
    assert "A rule is for 'old', which is not an action of the catalog." in result.output


def table_of(output: str) -> list[list[str]]:
    """Return the cells of the rows below the heading."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in output.splitlines()
        if line.startswith("│")
    ]


def test_check_prints_the_default_rules(tmp_path: Path) -> None:
    path = tmp_path / "acme.tfvars"
    path.write_text(
        'approvals = { environments_without_approval = ["dev"], '
        'approvers = { emails = ["one@acme.example"], teams = ["ops"], count = 2 } }\n'
    )

    result = run("check", "--catalog", ACME, "--tfvars", path)

    who = "2 of one@acme.example, team ops"
    assert table_of(result.output) == [
        ["create_service", "*", "none", "people"],
        ["configure_service, redeploy_service", "dev", "none", "Slipway"],
        ["delete_service", "dev", "none", "people"],
        ["configure_service, redeploy_service, delete_service", "*", who, "Slipway"],
        ["*", "*", who, "people"],
    ]


def test_check_reports_a_rule_without_approvers() -> None:
    *_, last = table_of(run("check").output)

    assert last == ["*", "*", "refused: approvals.approvers names no approver", "people"]


def test_check_names_environments_missing_from_the_catalog(tmp_path: Path) -> None:
    path = tmp_path / "acme.tfvars"
    path.write_text(
        'approvals = { rules = [{ actions = ["*"], environments = ["prod", "Staging"] }] }'
    )

    result = run("check", "--catalog", ACME, "--tfvars", path)

    assert "environment 'Staging', which is not one of the catalog: dev, qa, prod." in result.output
    assert "'prod'" not in result.output


@pytest.mark.parametrize(
    ("remediation", "said"),
    [
        ("{}", "remediation.environments has 'Test', which is not an environment"),
        (
            '{ environments = ["qa"], auto_merge_environments = ["dev", "Test"] }',
            "remediation.auto_merge_environments has 'Test', which is not an environment",
        ),
        ('{ environments = ["qa"], auto_merge_environments = [] }', None),
        ('{ mode = "verify" }', None),
    ],
)
def test_check_names_unknown_environments_of_repairs(
    tmp_path: Path, remediation: str, said: str | None
) -> None:
    path = tmp_path / "acme.tfvars"
    path.write_text(f"remediation = {remediation}\n")

    result = run("check", "--catalog", ACME, "--tfvars", path)

    output = " ".join(result.output.split())
    assert said in output if said else "remediation." not in output


def test_preview_shows_words_files_and_entity(tmp_path: Path) -> None:
    result = run("preview", "create_bucket", "--inputs", typed(tmp_path, INPUTS))

    assert result.exit_code == 0
    for said in (
        "Add bucket payments.invoices",
        "Policy asks for  Production",
        "Nothing uses: cost.",
        "+++ b/buckets/payments/invoices/main.tf.json",
        '+      "purpose": "What customers pay",',
        '"identifier": "payments.invoices"',
    ):
        assert said in result.output


def test_preview_of_an_update_reads_a_checkout(tmp_path: Path) -> None:
    folder = tmp_path / "apps/shop"
    folder.mkdir(parents=True)
    (folder / "common_values.yaml").write_text("replicas: 7\n")
    (folder / "logo.png").write_bytes(b"\xff\x00")
    said = {"identifier": "shop", "blueprint": "service", "environment": "Test"}
    (folder / "portData.json").write_text(json.dumps(said))

    result = run("preview", "upscale_service", "--entity", "shop", "--repository", tmp_path)

    assert result.exit_code == 0
    assert "-replicas: 7" in result.output
    assert "+replicas: 8" in result.output


def test_preview_of_an_update_invents_an_entity() -> None:
    result = run("preview", "upscale_service")

    assert result.exit_code == 0
    assert "Scale my-service from 1 to 2 replicas" in result.output


def test_preview_of_a_workflow_shows_its_inputs() -> None:
    result = run("preview", "restart_service")

    assert "Runs .github/workflows/slipway-restart.yml with:" in result.output
    assert '"service": "my-service"' in result.output


def test_preview_reports_that_nothing_would_change(tmp_path: Path) -> None:
    result = run("preview", "downscale_service", "--inputs", typed(tmp_path, {"step": 1}))

    assert "Nothing to do: 'my-service' has 1 replica" in result.output


@pytest.mark.parametrize(
    ("action", "inputs", "said"),
    [
        ("old", {}, "The catalog has no action 'old'."),
        ("create_bucket", {**INPUTS, "team": "../x"}, "Input 'Team' must be a team"),
        ("create_bucket", {}, "Input 'Name' is missing."),
    ],
)
def test_preview_is_refused(tmp_path: Path, action: str, inputs: object, said: str) -> None:
    result = run("preview", action, "--inputs", typed(tmp_path, inputs))

    assert result.exit_code == 1
    assert said in result.output


def spent(*arguments: object) -> float:
    """Return the processor time of this Python with these arguments, in seconds."""
    before = os.times()
    command = [sys.executable, *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    after = os.times()
    return (
        after.children_user
        + after.children_system
        - (before.children_user + before.children_system)
    )


def test_preview_is_quick(tmp_path: Path) -> None:
    # One second where boto3 imports in 0.3 s; a ratio, so that the machine does not matter.
    preview = ["-m", "scripts.catalog", "preview", "create_bucket", "--inputs"]

    longest = 3.3 * max(spent("-c", "import boto3") for _ in range(2))

    assert min(spent(*preview, typed(tmp_path, INPUTS)) for _ in range(2)) <= longest


@pytest.mark.parametrize("operation", ["update", "delete", "workflow"])
@pytest.mark.parametrize("folder", [SHIPPED, ACME])
def test_new_action_passes_the_check(folder: Path, operation: str) -> None:
    files = read_folder(folder)
    added = new_files(files, "service", "look_after", operation)

    assert check_catalog({**files, **{path: text.encode() for path, text in added.items()}}) == []


@pytest.mark.parametrize("operation", ["create", "update", "delete", "workflow"])
def test_new_kind_passes_the_check(operation: str) -> None:
    files = read_folder(SHIPPED)
    added = new_files(files, "queue", "look_after_queue", operation)

    assert check_catalog({**files, **{path: text.encode() for path, text in added.items()}}) == []


def test_new_writes_its_files(tmp_path: Path) -> None:
    result = run("new", "queue", "create_queue", "--operation", "create", "--catalog", tmp_path)

    assert result.exit_code == 0
    assert check_catalog(read_folder(tmp_path)) == []


@pytest.mark.parametrize(
    ("kind", "action", "operation", "said"),
    [
        ("service", "create_service", "update", "exists already"),
        ("service", "hand-over", "update", "cannot be an action's name"),
        ("service", "hand_over", "change", "is not one of: create, update"),
    ],
)
def test_new_is_refused(kind: str, action: str, operation: str, said: str) -> None:
    with pytest.raises(SlipwayError) as caught:
        new_files(read_folder(SHIPPED), kind, action, operation)

    assert said in str(caught.value)
