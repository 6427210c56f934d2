"""A small soak: the code of `make soak`, without faults that restart a server."""

from pathlib import Path

import pytest

from scripts.apply_sandbox import Mode, Stack
from scripts.soak import Settings, Soak
from scripts.soaking.installation import Installation
from tests.integration.conftest import SandboxClient

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(4200),
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
FAULTS = (
    "port-down",
    "port-answers-lost",
    "github-down",
    "github-answers-lost",
    "github-resets",
    "lambda-killed",
    "report-fails",
)


def test_soak_loses_repeats_and_blocks_no_run(
    sandbox: SandboxClient, sandbox_folder: Path, stack: Stack
) -> None:
    settings = Settings(
        sandbox_folder,
        runs=24,
        seed=2026,
        minutes=30,
        settle_minutes=30,
        faults=FAULTS,
        expire_seconds=15,
        report_seconds=10,
    )

    result = Soak(settings, Installation(sandbox.env, stack.outputs())).run()

    assert result.asked == settings.runs
    assert result.findings == []
