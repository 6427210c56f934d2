"""Terraform installs the locked provider from a mirror or from its registry."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.waits

REPOSITORY = Path(__file__).resolve().parents[3]


def test_terraform_init_keeps_the_lock_file_unchanged(tmp_path: Path) -> None:
    # Given the stack, as cloned
    stack = tmp_path / "terraform"
    skip = shutil.ignore_patterns(".terraform", "*.tfstate*")
    shutil.copytree(REPOSITORY / "terraform", stack, ignore=skip)
    lock = stack / ".terraform.lock.hcl"
    before = lock.read_text()

    # When it is initialised
    done = subprocess.run(
        [REPOSITORY / "scripts/terraform", f"-chdir={stack}", "init", "-input=false"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    # Then the provider is the locked one, and the lock file is unchanged
    assert done.returncode == 0, done.stderr
    assert lock.read_text() == before
