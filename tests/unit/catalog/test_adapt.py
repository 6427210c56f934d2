"""docs/adapt.md contains the acme catalog word for word, as named code blocks."""

import re
from pathlib import Path

from slipway.catalog.reading import read_folder
from typer.testing import CliRunner

from scripts.catalog import app
from tests.catalogs.samples import ACME, ROOT

PAGE = (ROOT / "docs/adapt.md").read_text()
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_page_has_the_catalog_word_for_word() -> None:
    blocks = [(match[1], match[2]) for match in BLOCK.finditer(PAGE)]
    files = {path: data.decode() for path, data in read_folder(ACME).items()}

    assert len(blocks) == len(files)
    assert dict(blocks) == files


def test_inputs_on_the_page_can_be_previewed(tmp_path: Path) -> None:
    inputs, _values = re.findall(r"<<'END'\n(.*?)^END$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "inputs.yaml").write_text(inputs)

    result = CliRunner().invoke(
        app,
        ["preview", "create_service", f"--inputs={tmp_path}/inputs.yaml", f"--catalog={ACME}"],
    )

    assert result.exit_code == 0
    assert "service/pay.billing.invoices.qa" in result.output


def test_variables_on_the_page_pass_the_check(tmp_path: Path) -> None:
    (variables,) = re.findall(r"^```hcl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "acme.tfvars").write_text(variables)

    result = CliRunner().invoke(
        app, ["check", f"--catalog={ACME}", f"--tfvars={tmp_path}/acme.tfvars"]
    )

    assert result.exit_code == 0, result.output
    assert "not checked" not in result.output
    assert "No rule" not in result.output
    assert "not an environment" not in result.output
