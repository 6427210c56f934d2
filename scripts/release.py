"""Build a release into dist/: `make release VERSION=1.2.3`.

Everything comes from the commit that is checked out, never from the working tree. Two builds of a
commit have equal sums, on machines with the same zlib (see scripts/build.py).

The module's archive keeps the folders of the repository, so that `terraform/` finds `build/` and
`catalog/` beside it as it does in a checkout. `terraform/release.json` is in the archive only. It
tells Terraform the release, and which release lines are too old to upgrade from.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from scripts.build import Architecture, BuildError, Entries, build, sha256, write_archive
from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
SECTION = re.compile(r"^## (.+?)(?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
# Parts of `terraform/` that only this repository's tests read.
TESTS = ("tests", "permissions", "references")
MODULE = ("terraform", "catalog", "LICENSE", "CHANGELOG.md")
# What scripts/install and the operator's commands need besides the module.
COMMANDS = (".python-version", "port", "requirements", "scripts", "services-repo", "shared")
LICENSES = "THIRD_PARTY_LICENSES"
UNRELEASED = re.compile(r"^## Unreleased$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
# What a release leaves behind that the next one must understand (docs/upgrade.md).
FIXTURES = Path("tests/fixtures/releases")
MACHINES = ("approval", "deliver_later", "remediation")
ITEMS = ("approval_item.json", "remediation_item.json")
SUMS = "SHA256SUMS"


class ReleaseError(Exception):
    """The release failed; the text says why and what to do."""


@dataclass(frozen=True)
class Section:
    """A released version in the change log, with its text."""

    version: str
    notes: str

    @property
    def line(self) -> str:
        """The release line: `1.2` of 1.2.3."""
        return self.version.rpartition(".")[0]


def sections(changelog: str) -> list[Section]:
    """Return the released versions of a change log, newest first.

    Raises:
        ReleaseError: A heading is neither `Unreleased` nor a version with its date.
    """
    found = []
    headings = list(SECTION.finditer(changelog))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        name, date = heading.groups()
        if name == "Unreleased":
            continue
        if not VERSION.fullmatch(name) or not date:
            raise ReleaseError(
                f"CHANGELOG.md has the heading {heading[0]!r}. Write '## 1.2.3 - 2026-12-31'."
            )
        end = following.start() if following else len(changelog)
        found.append(Section(name, changelog[heading.end() : end].strip()))
    return found


def release_document(version: str, released: list[Section]) -> dict[str, object]:
    """Return a release's version and too old lines, for Terraform.

    A release reads what the line before it wrote, as docs/upgrade.md promises.
    """
    position = [section.version for section in released].index(version)
    lines = [line for line, _ in groupby(section.line for section in released[position:])]
    return {"version": version, "previous": lines[:2][-1], "too_old": lines[2:]}


def check(version: str, root: Path) -> list[Section]:
    """Refuse a version that must not be released.

    Returns:
        The released versions of the change log.

    Raises:
        ReleaseError: With the reason.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is not a version. Write it as 1.2.3, without a 'v'.")
    if changed := _git(root, "status", "--porcelain").splitlines():
        raise ReleaseError(
            "The working tree has changes that are not committed, for example "
            f"{changed[0].split()[-1]}. "
            "Commit or stash them: a release is built from a commit."
        )
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if (unreleased := UNRELEASED.search(changelog)) and unreleased[1].strip():
        raise ReleaseError(
            "CHANGELOG.md has entries in 'Unreleased', but this commit has these changes. Move "
            f"them to the section of {version}."
        )
    released = sections(changelog)
    if version not in [section.version for section in released]:
        known = ", ".join(section.version for section in released) or "none"
        raise ReleaseError(
            f"CHANGELOG.md has no section for {version} (it has {known}). Give the entries of "
            f"'Unreleased' the heading '## {version} - <date>'."
        )
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if project["version"] != version:
        raise ReleaseError(f"pyproject.toml has version {project['version']}, not {version}.")
    _check_fixtures(root, FIXTURES / version)
    return released


def _check_fixtures(root: Path, folder: Path) -> None:
    """Refuse a release whose data the next release would not be tested with."""
    for machine in MACHINES:
        source = Path(f"terraform/modules/{machine}/definition.asl.json")
        copy = folder / f"{machine}.asl.json"
        if (
            not (root / copy).is_file()
            or (root / copy).read_bytes() != (root / source).read_bytes()
        ):
            raise ReleaseError(f"{copy} is not a copy of {source}. Copy it, and run the tests.")
    for item in ITEMS:
        if not (root / folder / item).is_file():
            raise ReleaseError(f"{folder / item} is missing. Add an item that this release stored.")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def export(root: Path, target: Path) -> None:
    """Unpack the commit that is checked out into a folder."""
    archive = target.with_suffix(".tar")
    _git(root, "archive", "--format=tar", f"--output={archive}", "HEAD")
    shutil.unpack_archive(archive, target, filter="data")


def files(folder: Path, *places: str) -> Entries:
    """Return the files below some places of a folder, by path."""
    found = (path for place in places for path in ((folder / place).rglob("*"), [folder / place]))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for paths in found
        for path in paths
        if path.is_file()
    }


def module_entries(source: Path, release: dict[str, object]) -> Entries:
    """Return the module's archive.

    It has the module, functions and layer, catalog, operators' commands and licences.

    Args:
        source: The exported commit, with `build/`.
        release: As `release_document` returns it.
    """
    entries = {
        name: data
        for name, data in files(source, *MODULE, *COMMANDS).items()
        if not name.startswith(tuple(f"terraform/{folder}/" for folder in TESTS))
    }
    entries |= files(source, "build")
    entries["terraform/release.json"] = (json.dumps(release, indent=2) + "\n").encode()
    entries[LICENSES] = licenses(source / "build")
    return entries


def licenses(built: Path) -> bytes:
    """Return the licences of the layer.

    Raises:
        ReleaseError: The layers of the architectures have different licences.
    """
    texts = set()
    for architecture in Architecture:
        with zipfile.ZipFile(built / f"layer-{architecture}.zip") as layer:
            texts.add(layer.read(LICENSES))
    if len(texts) > 1:
        raise ReleaseError(f"The layers differ in {LICENSES}: pin releases with equal licences.")
    return texts.pop()


def write_sbom(source: Path, target: Path) -> None:
    """Write the layer's distributions as CycloneDX, with their hashes."""
    command = [str(ROOT / "build/release/bin/cyclonedx-py"), "requirements"]
    command += ["--output-reproducible", "--output-format", "JSON", "--output-file", str(target)]
    command += ["--pyproject", str(source / "pyproject.toml")]
    command.append(str(source / "requirements/layer.txt"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"The SBOM was not made:\n{done.stderr.strip()}")


def release(version: str, root: Path, output: Path) -> list[Path]:
    """Build a release.

    Args:
        version: As `1.2.3`.
        root: The repository, with the commit checked out.
        output: Folder for the files; replaces an earlier release.

    Returns:
        The files, `SHA256SUMS` last.

    Raises:
        ReleaseError: A check failed; the folder stays unchanged.
        BuildError: A build failed; the folder stays unchanged.
    """
    released = check(version, root)
    if output.exists() and any(output.iterdir()) and not (output / SUMS).exists():
        raise ReleaseError(f"{output} contains other files than a release. Name another folder.")
    notes = next(section.notes for section in released if section.version == version)
    subprocess.run([ROOT / "scripts/setup", "release"], check=True)
    # `make setup` may have put uv there; the exported commit has none.
    os.environ["PATH"] = f"{ROOT / 'build/uv/bin'}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="slipway-release-") as folder:
        source, made = Path(folder) / "source", Path(folder) / "dist"
        made.mkdir()
        export(root, source)
        build(source, source / "build", list(Architecture))
        entries = module_entries(source, release_document(version, released))
        write_archive(made / f"slipway-{version}.zip", entries)
        template = source / "services-repo"
        write_archive(made / f"slipway-services-repo-{version}.zip", files(template, "."))
        write_sbom(source, made / f"slipway-{version}.cdx.json")
        (made / LICENSES).write_bytes(entries[LICENSES])
        (made / "NOTES.md").write_text(f"{notes}\n", encoding="utf-8")
        sums = [f"{sha256(file)}  {file.name}\n" for file in sorted(made.iterdir())]
        (made / SUMS).write_text("".join(sums))
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(made, output)
    return [*sorted(set(output.iterdir()) - {output / SUMS}), output / SUMS]


def main(
    version: Annotated[str, typer.Argument(help="Version, for example 1.2.3.")],
    output: Annotated[Path, typer.Option(help="Folder for the files.")] = ROOT / "dist",
    root: Annotated[Path, typer.Option(help="Repository to release.")] = ROOT,
) -> None:
    """Build a release: module, services repository, SBOM, licences, sums."""
    try:
        made = release(version, root.resolve(), output)
    except (ReleaseError, BuildError) as error:
        typer.echo(f"release: {error}", err=True)
        raise typer.Exit(1) from None
    for file in made:
        typer.echo(f"{file}  {file.stat().st_size / 1e3:,.0f} kB")


if __name__ == "__main__":
    start(main, "1.2.3")
