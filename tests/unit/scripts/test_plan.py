"""`make plan` with an unknown example."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", ["nonsense", "", "../terraform"])
def test_plan_lists_the_examples_when_there_is_none(name: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "plan", name], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr == "plan: ENV must name an example: msk port-hosted sandbox webhook\n"
