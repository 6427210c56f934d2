"""The compromised dependency: a replaced archive, or a malicious new release.

Tests cannot limit what it does once it is in the layer: see `docs/security.md`.
"""

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from scripts.audit import NPM, PYTHON
from scripts.build import find_uv

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split("\n")
LOCKS = [ROOT / file for file in TRACKED if re.search(r"(^|/)requirements/.+\.txt$", file)]
NPM_LOCKS = [ROOT / file for file in TRACKED if file.endswith("package-lock.json")]
TERRAFORM_LOCKS = [ROOT / file for file in TRACKED if file.endswith(".terraform.lock.hcl")]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PACKAGE, VERSION = re.findall(
    r"^(tenacity)==(\S+)", (ROOT / "requirements/layer.txt").read_text(), re.MULTILINE
)[0]


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    """Serve a registry with a replaced archive under a locked name and version."""
    info = f"{PACKAGE}-{VERSION}.dist-info"
    with zipfile.ZipFile(tmp_path / f"{PACKAGE}-{VERSION}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{PACKAGE}/__init__.py", "STOLEN = True\n")
        facts = f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n"
        wheel.writestr(f"{info}/METADATA", facts)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return tmp_path


def install(
    registry: Path, target: Path, *requirements: str | Path
) -> subprocess.CompletedProcess[str]:
    command = [find_uv(ROOT), "pip", "install", "--no-deps", "--no-index", "--no-cache"]
    places: list[str | Path] = ["--find-links", registry, "--target", target]
    return subprocess.run(
        [*command, *places, *requirements], capture_output=True, text=True, check=False, timeout=300
    )


def test_swapped_archive_is_not_installed(swapped: Path, tmp_path: Path) -> None:
    lock = (ROOT / "requirements/layer.txt").read_text()
    (entry,) = re.findall(rf"^{PACKAGE}==(?:.*\\\n)+.*", lock, re.MULTILINE)
    (tmp_path / "one.txt").write_text(entry)

    done = install(swapped, tmp_path / "site", "--require-hashes", "-r", tmp_path / "one.txt")

    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert not (tmp_path / "site" / PACKAGE).exists()


def test_swapped_archive_would_be_installed_without_hashes(swapped: Path, tmp_path: Path) -> None:
    # This shows that only the hashes stop the attack above.
    done = install(swapped, tmp_path / "site", f"{PACKAGE}=={VERSION}")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / PACKAGE).exists()


@pytest.mark.parametrize("lock", LOCKS, ids=[lock.name for lock in LOCKS])
def test_each_locked_package_has_a_version_and_hashes(lock: Path) -> None:
    text = lock.read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]

    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9.\[\],-]+==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=[lock.parent.name for lock in NPM_LOCKS])
def test_each_locked_npm_package_has_a_digest(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    fetched = {
        name: package for name, package in packages.items() if name and not package.get("link")
    }

    assert fetched
    assert [name for name, package in fetched.items() if not package.get("integrity")] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[workflow.name for workflow in WORKFLOWS])
def test_each_ci_action_is_pinned_to_a_commit(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)", workflow.read_text())

    assert used
    assert [action for action in used if not re.search(r"@[0-9a-f]{40}$", action)] == []


@pytest.mark.parametrize(
    "lock", TERRAFORM_LOCKS, ids=[lock.parent.name for lock in TERRAFORM_LOCKS]
)
def test_terraform_provider_has_digests(lock: Path) -> None:
    assert len(re.findall(r'"(?:h1|zh):[^"]+"', lock.read_text())) > 1


def test_audit_looks_up_each_lock_file() -> None:
    folders = [
        {str(lock.parent.relative_to(ROOT)) for lock in locks} for locks in (LOCKS, NPM_LOCKS)
    ]

    assert folders == [set(PYTHON), set(NPM)]
