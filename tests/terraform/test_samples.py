"""The settings in the docs require an approver for each change."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from slipway.catalog.check.environments import environments_of
from slipway.catalog.loading import load_catalog
from slipway.catalog.reading import read_folder

from scripts.permissions import plan
from tests.terraform.conftest import ROOT, STACK, planned


def policy_of(changes: list[dict[str, Any]]) -> dict[str, Any]:
    (policy,) = (c for c in changes if c["address"].endswith("aws_s3_object.policy"))
    found: dict[str, Any] = json.loads(policy["change"]["after"]["content"])
    return found


def without_approver(policy: Mapping[str, Any], catalog: Path) -> Iterator[tuple[str, str]]:
    """Return each action and environment whose runs could never be approved."""
    for kind in load_catalog(read_folder(catalog)).kinds.values():
        environments = environments_of(kind)
        assert environments
        for action in kind.actions:
            for environment in environments:
                approval = next(
                    (
                        rule["approval"]
                        for rule in policy["rules"]
                        if {action, "*"} & {*rule["actions"]}
                        and {environment, "*"} & {*rule["environments"]}
                    ),
                    policy["default"]["approval"],
                )
                if approval is not None and not approval["emails"] + approval["teams"]:
                    yield action, environment


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory, aws: str) -> dict[str, Any]:
    """Return the sample's policy in docs/adapt.md, with that page's catalog."""
    folder = tmp_path_factory.mktemp("root")
    page = (ROOT / "docs" / "adapt.md").read_text()
    (sample,) = (one for one in re.findall(r"```hcl\n(.*?)```", page, re.DOTALL) if "github" in one)
    call = {
        "source": os.path.relpath(STACK, folder),
        "artifacts_dir": str(STACK / "tests" / "artifacts"),
        "catalog_dir": str(ROOT / "tests" / "catalogs" / "acme"),
        "port": {"org_id": "org_xxxxxxxxxxxxxxxx"},
    }
    block = "".join(f"  {name} = {json.dumps(value)}\n" for name, value in call.items())
    (folder / "main.tf").write_text(f'module "slipway" {{\n{block}{sample}}}\n')
    return policy_of(planned(folder, aws))


def test_sample_of_the_example_has_an_approver_for_each_change() -> None:
    policy = policy_of(plan("examples/port-hosted", "tests")["resource_changes"])

    assert list(without_approver(policy, ROOT / "catalog")) == []
    assert policy["default"]["approval"]["emails"] == ["devops@acme.example"]


def test_sample_of_adapt_has_an_approver_for_each_change(acme: dict[str, Any]) -> None:
    assert list(without_approver(acme, ROOT / "tests" / "catalogs" / "acme")) == []
    assert {one["name"] for one in acme["repositories"].values()} == {
        "acme/pay",
        "acme/shop",
        "acme/core",
    }
