"""The table of resources in docs/install.md."""

from pathlib import Path
from typing import Any

import pytest
import typer

from scripts import counts

PLAN: dict[str, Any] = {
    "resource_changes": [
        {"type": "aws_lambda_function", "mode": "managed"},
        {"type": "aws_lambda_function", "mode": "managed"},
        {"type": "aws_vpc", "mode": "managed"},
        {"type": "aws_vpc", "mode": "data"},
    ]
}


def test_table_counts_managed_resources_of_each_plan() -> None:
    table = counts.table({"one": PLAN, "none": {"resource_changes": []}})

    lines = table.splitlines()
    assert lines[:2] == ["| | `one` | `none` |", "| --- | --- | --- |"]
    assert "| Lambda functions, each with alias `live`, role and log group | 2 | |" in lines
    assert "| VPCs | 1 | |" in lines
    assert lines[-1] == "| resources in total | 3 | 0 |"


def test_check_fails_until_the_table_is_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "install.md"
    page.write_text(f"before\n{counts.BEGIN}\nold\n{counts.END}\nafter\n")
    monkeypatch.setattr(counts, "PAGE", page)
    monkeypatch.setattr(counts, "plan", lambda *_: PLAN)

    with pytest.raises(typer.Exit):
        counts.main(check=True)
    assert "Run scripts/counts" in capsys.readouterr().err

    counts.main()
    counts.main(check=True)
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")
