"""`scripts/github_descriptions`, with npm and without."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path("scripts", "github_descriptions")
WANTED = Path("tests", "references", "github")
TOOLS = ("sh", "dirname", "cat", "cksum", "mkdir", "mktemp", "cp", "mv", "rm")
# The files of the two packages that the real npm leaves.
NPM = """\
#!/bin/sh
packages=$3/node_modules/@octokit
mkdir -p "$packages/openapi/generated" "$packages/graphql-schema"
echo "$@" >"$packages/openapi/generated/api.github.com.json"
echo schema >"$packages/graphql-schema/schema.graphql"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a folder with the script and its lock file, and `bin` with the needed commands."""
    for folder in ("bin", "scripts"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    shutil.copytree(ROOT / WANTED, tmp_path / WANTED)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def install(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / SCRIPT],
        env={**os.environ, "PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def add_npm(checkout: Path, text: str = NPM) -> None:
    (checkout / "bin" / "npm").write_text(text)
    (checkout / "bin" / "npm").chmod(0o755)


def test_descriptions_are_refused_without_nodejs(checkout: Path) -> None:
    found = install(checkout)

    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == "github_descriptions: npm was not found. Install Node.js 20 or later.\n"


def test_descriptions_are_kept_without_the_packages(checkout: Path) -> None:
    add_npm(checkout)

    found = install(checkout)

    folder = checkout / "build" / "github_descriptions"
    assert found.stdout == f"{folder}\n"
    assert {"openapi.json", "schema.graphql"} < {file.name for file in folder.iterdir()}
    assert not (folder / "node_modules").exists()
    assert "--ignore-scripts" in (folder / "openapi.json").read_text()


def test_descriptions_are_installed_again_when_the_lock_changes(checkout: Path) -> None:
    add_npm(checkout)
    install(checkout)
    add_npm(checkout, "#!/bin/sh\nexit 1\n")

    again = install(checkout)
    (checkout / WANTED / "package-lock.json").write_text("{}")
    changed = install(checkout)

    assert (again.returncode, changed.returncode) == (0, 1)
    assert "'npm ci' failed" in changed.stderr
