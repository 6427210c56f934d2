"""A release's module refuses to upgrade releases that it does not support."""

import json
import shutil
from pathlib import Path

import pytest

from tests.terraform.conftest import STACK, Aws, planned
from tests.terraform.test_module import root

RELEASE = {"version": "0.3.1", "previous": "0.2", "too_old": ["0.1"]}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Make a root that calls the module of release 0.3.1."""
    skip = shutil.ignore_patterns(".terraform", "tests")
    shutil.copytree(STACK, tmp_path / "terraform", ignore=skip)
    shutil.copytree(STACK.parent / "catalog", tmp_path / "catalog")
    (tmp_path / "terraform/release.json").write_text(json.dumps(RELEASE))
    folder = tmp_path / "root"
    folder.mkdir()
    root(folder, slipway={"source": "../terraform"})
    return folder


@pytest.mark.parametrize("installed", [None, "0.2.0"])
def test_release_is_applied_first_or_over_its_predecessor(
    release: Path, aws: str, monkeypatch: pytest.MonkeyPatch, installed: str | None
) -> None:
    monkeypatch.setattr(Aws, "installed", installed)

    changes = planned(release, aws)

    (noted,) = [change for change in changes if change["type"] == "aws_ssm_parameter"]
    assert noted["change"]["after"]["name"] == "/slipway/slipway/release"
    assert noted["change"]["after"]["insecure_value"] == "0.3.1"


def test_upgrade_that_skips_a_release_is_refused(
    release: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Aws, "installed", "0.1.4")

    with pytest.raises(AssertionError, match=r"Installed is Slipway 0\.1\.4") as refused:
        planned(release, aws)

    assert "release of 0.2 first" in str(refused.value)


def test_skipped_release_is_found_beside_other_parameters(
    release: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS returns every parameter below the path; an operator's own comes first.
    monkeypatch.setattr(Aws, "parameters", {"/slipway/slipway/own": "0.2.9"})
    monkeypatch.setattr(Aws, "installed", "0.1.4")

    with pytest.raises(AssertionError, match=r"Installed is Slipway 0\.1\.4"):
        planned(release, aws)
