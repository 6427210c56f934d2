"""Terraform reads hostile text in rendered skeletons as that text."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from slipway.catalog.skeleton import fill_in

from tests.catalogs.samples import SHIPPED, files_of

pytestmark = pytest.mark.waits

REPOSITORY = Path(__file__).resolve().parents[3]
HOSTILE = [
    "${path.module}",
    "%{ if true }x%{ endif }",
    "$${x} %%{y}",
    "$$${x}",
    'a "quoted" \\ back\\nslash',
    "line\nbreak\ttab",
    "{{ .Values.x }} $(id) é 😀",
    '${file("/etc/passwd")}',
    "%",
    "$",
]
SKELETONS = {
    "a.tf.json": '{"output": {"aINDEX": {"value": "{{ .inputs.v | hcl_text }}"}}}',
    "b.tf": 'output "bINDEX" {\n  value = {{ .inputs.v | hcl }}\n}\n',
    "c.tf": 'output "cINDEX" {\n  value = "x {{ .inputs.v | hcl_text }}"\n}\n',
}
VARIABLES = ("name", "team", "environment", "purpose", "versioned", "expires_after_days", "readers")


def outputs_of(folder: Path) -> dict[str, Any]:
    """Apply a folder without a provider, and read its outputs."""
    terraform = [str(REPOSITORY / "scripts/terraform"), f"-chdir={folder}"]
    for command in (
        ["init", "-input=false", "-backend=false"],
        ["apply", "-input=false", "-auto-approve"],
    ):
        done = subprocess.run(
            [*terraform, *command], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [*terraform, "output", "-json"], capture_output=True, text=True, timeout=300, check=True
    )
    return {name: one["value"] for name, one in json.loads(done.stdout).items()}


def test_terraform_reads_typed_text_unchanged(tmp_path: Path) -> None:
    for index, value in enumerate(HOSTILE):
        for path, skeleton in SKELETONS.items():
            text = skeleton.replace("INDEX", str(index))
            written = fill_in(path, text, {"inputs": {"v": value}}, lambda _: "The field")
            (tmp_path / f"{index}{path}").write_text(written)

    outputs = outputs_of(tmp_path)

    assert outputs == {
        f"{letter}{index}": f"x {value}" if letter == "c" else value
        for index, value in enumerate(HOSTILE)
        for letter in "abc"
    }


def test_terraform_reads_the_shipped_skeleton(tmp_path: Path) -> None:
    # Given a bucket with a hostile purpose, and the module that its folder names
    inputs = {
        "bucket_name": "invoices",
        "team": "payments",
        "environment": "Test",
        "purpose": '${path.module} %{ x } "q"',
        "readers": ["arn:aws:iam::123456789012:role/reader"],
    }
    plan = files_of(SHIPPED, "create_bucket", inputs=inputs)
    for path, text in plan.files.items():
        assert text is not None
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    module = tmp_path / "modules/bucket"
    module.mkdir(parents=True)
    variables = "".join(f'variable "{name}" {{}}\n' for name in VARIABLES)
    values = "".join(f"{name} = var.{name}\n" for name in VARIABLES)
    (module / "main.tf").write_text(f'{variables}output "all" {{\n  value = {{\n{values}}}\n}}\n')
    folder = tmp_path / "buckets/payments/invoices"
    (folder / "outputs.tf").write_text('output "all" {\n  value = module.bucket.all\n}\n')

    # When Terraform reads it
    said = outputs_of(folder)["all"]

    # Then each value equals the input
    assert said == {
        "name": "payments-invoices",
        "team": "payments",
        "environment": "Test",
        "purpose": inputs["purpose"],
        "versioned": True,
        "expires_after_days": None,
        "readers": inputs["readers"],
    }
