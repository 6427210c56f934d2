"""`scripts/release`: what it refuses, and what it reads in the change log."""

import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scripts import release
from scripts.release import (
    FIXTURES,
    ITEMS,
    MACHINES,
    ReleaseError,
    Section,
    check,
    release_document,
    sections,
)

CHANGELOG = """# Changelog

## Unreleased

## 0.2.0 - 2026-12-31

### Added

- The second.

## 0.1.0 - 2026-11-30

- The first.
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a repository whose version 0.2.0 passes the release checks."""
    root = tmp_path / "repository"
    root.mkdir()
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / "pyproject.toml").write_text('[project]\nname = "slipway"\nversion = "0.2.0"\n')
    fixtures = root / FIXTURES / "0.2.0"
    fixtures.mkdir(parents=True)
    for machine in MACHINES:
        definition = root / f"terraform/modules/{machine}/definition.asl.json"
        definition.parent.mkdir(parents=True)
        for file in (definition, fixtures / f"{machine}.asl.json"):
            file.write_text("{}")
    for item in ITEMS:
        (fixtures / item).write_text("{}")
    commit(root)
    return root


def commit(root: Path) -> None:
    author = ["-c", "user.name=any", "-c", "user.email=any@acme.example"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "Any"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def refusal(version: str, root: Path) -> str:
    app = typer.Typer()
    app.command()(release.main)
    output = root.parent / "dist"
    done = CliRunner().invoke(app, [version, "--root", str(root), "--output", str(output)])
    assert done.exit_code == 1
    assert not output.exists()
    return done.stderr


@pytest.mark.parametrize("version", ["", "v0.2.0", "0.2", "0.2.0-rc1", "00.2.0", "../0.2.0"])
def test_release_refuses_an_invalid_version(root: Path, version: str) -> None:
    assert f"{version!r} is not a version. Write it as 1.2.3" in refusal(version, root)


def test_release_refuses_a_version_without_section(root: Path) -> None:
    said = refusal("0.3.0", root)

    assert "CHANGELOG.md has no section for 0.3.0 (it has 0.2.0, 0.1.0)" in said


def test_release_refuses_a_version_unlike_the_project(root: Path) -> None:
    assert "pyproject.toml has version 0.2.0, not 0.1.0" in refusal("0.1.0", root)


@pytest.mark.parametrize("file", ["CHANGELOG.md", "new.py"])
def test_release_refuses_a_dirty_tree(root: Path, file: str) -> None:
    with (root / file).open("a") as opened:
        opened.write("more\n")

    assert f"changes that are not committed, for example {file}" in refusal("0.2.0", root)


def test_release_refuses_unreleased_entries(root: Path) -> None:
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text()
    changelog.write_text(text.replace("## Unreleased\n", "## Unreleased\n\n- Not in the notes.\n"))
    commit(root)

    assert "has entries in 'Unreleased'" in refusal("0.2.0", root)


def test_release_is_allowed_with_data_for_the_next_one(root: Path) -> None:
    assert [section.version for section in check("0.2.0", root)] == ["0.2.0", "0.1.0"]


@pytest.mark.parametrize("name", [*ITEMS, *(f"{machine}.asl.json" for machine in MACHINES)])
def test_release_refuses_to_leave_the_next_one_untested(root: Path, name: str) -> None:
    (root / FIXTURES / "0.2.0" / name).unlink()
    commit(root)

    assert f"tests/fixtures/releases/0.2.0/{name} is" in refusal("0.2.0", root)


def test_release_refuses_an_outdated_copy_of_a_machine(root: Path) -> None:
    (root / "terraform/modules/approval/definition.asl.json").write_text('{"States": {}}')
    commit(root)

    assert "approval.asl.json is not a copy of" in refusal("0.2.0", root)


def test_release_refuses_to_replace_another_folder(root: Path) -> None:
    kept = root.parent / "photos/one.png"
    kept.parent.mkdir()
    kept.touch()

    with pytest.raises(ReleaseError, match="contains other files than a release"):
        release.release("0.2.0", root, kept.parent)

    assert kept.exists()


def test_section_has_the_text_up_to_the_next_heading() -> None:
    assert sections(CHANGELOG) == [
        Section("0.2.0", "### Added\n\n- The second."),
        Section("0.1.0", "- The first."),
    ]


@pytest.mark.parametrize("heading", ["## 0.3.0", "## v0.3.0 - 2027-01-31", "## 0.3.0 (2027-01-31)"])
def test_malformed_heading_is_refused(heading: str) -> None:
    with pytest.raises(ReleaseError, match="Write '## 1.2.3 - 2026-12-31'"):
        sections(f"{heading}\n\n{CHANGELOG}")


@pytest.mark.parametrize(
    ("version", "previous", "too_old"),
    [
        ("0.1.0", "0.1", []),
        ("0.2.1", "0.1", []),
        ("0.3.0", "0.2", ["0.1"]),
        ("1.0.0", "0.3", ["0.2", "0.1"]),
    ],
)
def test_release_document_names_lines_that_are_too_old(
    version: str, previous: str, too_old: list[str]
) -> None:
    versions = ("1.0.0", "0.3.0", "0.2.1", "0.2.0", "0.1.0")
    released = [Section(each, "Any.") for each in versions]

    document = release_document(version, released)

    assert document == {"version": version, "previous": previous, "too_old": too_old}
