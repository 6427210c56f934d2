"""A release's archive: reproducible, and refused where it does not fit."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from scripts.build import Architecture, write_archive
from scripts.release import release
from tests.consumer.conftest import FIRST, THIRD, Archives
from tests.terraform.conftest import aws, planned
from tests.terraform.test_module import SETTINGS

__all__ = ["aws"]
# The first test waits for three releases.
pytestmark = pytest.mark.timeout(3600)


def root(folder: Path, source: str) -> Path:
    """Return a root outside the checkout."""
    inputs = {name: value for name, value in SETTINGS.items() if name != "artifacts_dir"}
    code = {"provider": {"aws": {}}, "module": {"slipway": {"source": source, **inputs}}}
    (folder / "main.tf.json").write_text(json.dumps(code))
    return folder


def test_two_builds_of_a_commit_have_equal_checksums(archives: Archives, tmp_path: Path) -> None:
    clone = tmp_path / "elsewhere"
    subprocess.run(["git", "clone", "-q", archives.repository, clone], check=True)

    release(THIRD, clone, tmp_path / "dist")

    first = archives.folder / THIRD / "SHA256SUMS"
    assert (tmp_path / "dist/SHA256SUMS").read_text() == first.read_text()


def test_release_has_every_file_in_its_checksums(archives: Archives) -> None:
    folder = archives.folder / FIRST
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)

    assert {file.name for file in folder.iterdir()} == {
        "NOTES.md",
        "SHA256SUMS",
        "THIRD_PARTY_LICENSES",
        f"slipway-{FIRST}.cdx.json",
        f"slipway-{FIRST}.zip",
        f"slipway-services-repo-{FIRST}.zip",
    }


def test_sbom_names_the_content_of_the_layers(archives: Archives) -> None:
    folder = archives.folder / FIRST
    listed = json.loads((folder / f"slipway-{FIRST}.cdx.json").read_text())["components"]
    named = {re.sub(r"[-_.]+", "-", one["name"].lower()) for one in listed}
    contained = set()
    with zipfile.ZipFile(folder / f"slipway-{FIRST}.zip") as archive:
        for architecture in Architecture:
            with (
                archive.open(f"build/layer-{architecture}.zip") as file,
                zipfile.ZipFile(file) as layer,
            ):
                found = re.findall(
                    r"python/([^/\s]+)-[^-/]+\.dist-info", " ".join(layer.namelist())
                )
                contained |= {re.sub(r"[-_.]+", "-", name.lower()) for name in found}

    assert len(contained) > 15
    assert named == contained


def test_wrong_checksum_is_refused(archives: Archives, aws: str, tmp_path: Path) -> None:
    root(tmp_path, archives.source(FIRST, checksum="0" * 64))

    with pytest.raises(AssertionError, match="Checksums did not match"):
        planned(tmp_path, aws)


def test_archive_of_another_architecture_is_refused(
    archives: Archives, aws: str, tmp_path: Path
) -> None:
    # Given an archive that was made for one architecture
    with zipfile.ZipFile(archives.folder / FIRST / f"slipway-{FIRST}.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    listed = json.loads(entries["build/artifacts.json"])
    del listed["layer-arm64"]
    entries["build/artifacts.json"] = json.dumps(listed).encode()
    write_archive(tmp_path / "one.zip", entries)
    shutil.unpack_archive(tmp_path / "one.zip", tmp_path / "unpacked")
    root(tmp_path, "./unpacked/terraform")

    # When it is planned with the default, arm64
    with pytest.raises(AssertionError, match="no layer for arm64") as refused:
        planned(tmp_path, aws)

    # Then the reason has a cure
    assert "functions.architecture" in str(refused.value)


def test_archive_refuses_a_region_without_arm64(
    archives: Archives, aws: str, tmp_path: Path
) -> None:
    root(tmp_path, archives.source(FIRST))
    code = json.loads((tmp_path / "main.tf.json").read_text())
    code["provider"]["aws"]["region"] = "ca-west-1"
    (tmp_path / "main.tf.json").write_text(json.dumps(code))

    with pytest.raises(AssertionError, match="Lambda has no arm64 in ca-west-1"):
        planned(tmp_path, aws)


def test_archive_is_planned_twice_in_one_account(
    archives: Archives, aws: str, tmp_path: Path
) -> None:
    root(tmp_path, archives.source(FIRST))
    code = json.loads((tmp_path / "main.tf.json").read_text())
    each = {"for_each": '${toset(["first", "second"])}', "name_prefix": "${each.key}"}
    code["module"]["slipway"] |= each
    (tmp_path / "main.tf.json").write_text(json.dumps(code))

    changes = planned(tmp_path, aws)

    noted = [c["change"]["after"] for c in changes if c["type"] == "aws_ssm_parameter"]
    assert {one["name"] for one in noted} == {"/slipway/first/release", "/slipway/second/release"}
    assert {one["insecure_value"] for one in noted} == {FIRST}
