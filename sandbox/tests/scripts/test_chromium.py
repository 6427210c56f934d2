"""sandbox/scripts/chromium, on machines that have one, can install one, or neither."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("sh", "dirname", "id", "cat", "env", "chmod")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script alone, and `bin` with the few commands that it needs."""
    for folder in ("bin", "sandbox/scripts"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "sandbox" / "scripts" / "chromium", tmp_path / "sandbox" / "scripts")
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def command(checkout: Path, name: str, script: str) -> Path:
    file = checkout / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def find(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "sandbox" / "scripts" / "chromium"],
        env={**os.environ, "PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_chromium_on_the_path_is_used(checkout: Path) -> None:
    file = command(checkout, "chromium", "exit 1")

    found = find(checkout)

    assert (found.returncode, found.stdout) == (0, f"{file}\n")


def test_chromium_package_is_installed_when_there_is_none(checkout: Path) -> None:
    command(checkout, "sudo", '[ "$1" = -n ] && shift; "$@"')
    place = checkout / "bin" / "chromium"
    install = f'[ "$1" = update ] || {{ echo "$@"; : >{place}; chmod 755 {place}; }}'
    command(checkout, "apt-get", install)

    found = find(checkout)

    assert found.stdout == f"{place}\n"
    assert "install -y -qq --no-install-recommends chromium" in found.stderr


def test_missing_chromium_error_says_what_to_install(checkout: Path) -> None:
    command(checkout, "sudo", "exit 1")
    command(checkout, "apt-get", "exit 100")

    found = find(checkout)

    assert (found.returncode, found.stdout) == (1, "")
    assert "apt-get install chromium" in found.stderr
    assert "playwright install --with-deps chromium" in found.stderr
