"""Plans of the stack that name all that AWS would make: terraform/references."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.terraform_test import without_account

ROOT = Path(__file__).resolve().parents[2]
STACK = ROOT / "terraform"
Plan = dict[str, Any]


@pytest.fixture(scope="session")
def plans() -> dict[str, Plan]:
    """The name of a run in terraform/references → its plan as JSON."""
    terraform: list[str | Path] = [ROOT / "scripts" / "terraform", "-chdir=terraform"]
    init = ["init", "-backend=false", "-input=false", "-lockfile=readonly"]
    run([*terraform, *init, "-test-directory=references"])
    lines = run([*terraform, "test", "-test-directory=references", "-verbose", "-json"])
    said = [json.loads(line) for line in lines.splitlines()]
    return {line["@testrun"]: line["test_plan"] for line in said if line["type"] == "test_plan"}


def run(command: list[str | Path]) -> str:
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=without_account(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout
