"""The threat model names the test for each of its claims."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECURITY = (ROOT / "docs/security.md").read_text()


def test_each_test_in_the_threat_model_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", SECURITY))
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "sandbox/tests").rglob("test_*.py")]
    defined = {
        name
        for file in files
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }

    assert len(named) > 50
    assert named - defined == set()


def test_each_cannot_of_the_threat_model_names_a_test() -> None:
    tables = re.findall(
        r"^\| cannot \| test \|\n\| --- \| --- \|\n((?:\|.+\n)+)", SECURITY, re.MULTILINE
    )
    rows = [row.strip("| ").split(" | ") for table in tables for row in table.splitlines()]

    # Seven actors, and the webhook.
    assert len(tables) == 8
    assert len(rows) > 40
    assert [row[0] for row in rows if not re.search(r"`test_\w+`", row[1])] == []


def test_each_file_in_the_threat_model_exists() -> None:
    named = set(re.findall(r"`((?:tests|terraform)/[\w./]+)`", SECURITY))

    assert named
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []


def test_each_actor_has_a_test_file() -> None:
    files = {file.name for file in (ROOT / "tests/attacks").glob("test_*.py")}

    assert files == set(re.findall(r"`tests/attacks/(test_\w+\.py)`", SECURITY))
