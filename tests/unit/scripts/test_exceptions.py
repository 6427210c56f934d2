"""An exception in a check is reported with its reason, in the check's place."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[3]
# Each matches an exception and the rest of its line, which must be the reason.
EXCEPTIONS = {
    ".tf": [r"checkov:skip=\w+(?P<reason>.*)"],
    ".yml": [r"zizmor: ignore(?P<reason>.*)", r"shellcheck disable=\S+(?P<reason>.*)"],
    ".py": [r"# noqa\b(?P<reason>.*)", r"# type: ignore(?:\[[^\]]*\])?(?P<reason>.*)"],
    "": [r"shellcheck disable=\S+(?P<reason>.*)"],
}
# Folders of installed packages, and scripts that install them.
CHECKED = ("functions/", "shared/", "services-repo/", "scripts/", "terraform/")
CODES = re.compile(r"\[[^\]]*\]|\b[A-Z]{1,4}[0-9]{2,}\b")


def unexplained(line: str, suffix: str) -> bool:
    """Whether a line makes an exception without a reason of at least two words."""
    return any(
        len(re.findall(r"[A-Za-z]{2,}", CODES.sub("", found["reason"]))) < 2
        for pattern in EXCEPTIONS.get(suffix, [])
        for found in re.finditer(pattern, line)
    )


def test_every_lint_exception_in_the_repository_has_a_reason() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name.startswith(CHECKED)]
    known = [file for file in files if file.suffix in EXCEPTIONS and file.is_file()]

    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in known
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if unexplained(line, file.suffix)
    ]

    assert len(known) > 100
    assert found == []


@pytest.mark.parametrize(
    ("line", "suffix"),
    [
        ("  # checkov:skip=CKV_AWS_18", ".tf"),
        ("  # checkov:skip=CKV_AWS_18:", ".tf"),
        ("  # checkov:skip=CKV2_AWS_62: no", ".tf"),
        ("uses: a/b@c # zizmor: ignore[unpinned-uses]", ".yml"),
        ("except Exception:  # noqa: BLE001, S110", ".py"),
        ("x = 1  # noqa", ".py"),
        ("import jmespath  # type: ignore[import-untyped]", ".py"),
        ("# shellcheck disable=SC2046", ""),
    ],
)
def test_lint_exception_without_a_reason_is_found(line: str, suffix: str) -> None:
    assert unexplained(line, suffix)
    assert not unexplained(f"{line} - it must be so", suffix)
