"""The module in users' roots: several instances, two regions, existing resources."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from tests.terraform.conftest import ROOT, STACK, planned
from tests.terraform.test_side_by_side import NAMES

# These are global in an account; a bucket's name is globally unique.
ACCOUNT_WIDE = {"aws_cloudwatch_dashboard", "aws_iam_role", "aws_s3_bucket"}
SETTINGS = {
    "artifacts_dir": str(STACK / "tests" / "artifacts"),
    "port": {"org_id": "org_xxxxxxxxxxxxxxxx"},
    "github": {"repositories": {"services": {"name": "acme/services"}}},
}


def root(folder: Path, **modules: dict[str, Any]) -> None:
    """Write a root with a provider for each of two regions."""
    source = os.path.relpath(STACK, folder)
    calls = {name: {"source": source, **SETTINGS, **call} for name, call in modules.items()}
    providers = [{"region": "eu-west-1"}, {"alias": "other", "region": "us-east-1"}]
    text = json.dumps({"provider": {"aws": providers}, "module": calls})
    (folder / "main.tf.json").write_text(text)


def names(changes: list[dict[str, Any]], module: str = "") -> list[tuple[str, str]]:
    """Return type and name of the resources that a module creates."""
    return [
        (change["type"], change["change"]["after"][NAMES[change["type"]]])
        for change in changes
        if change["type"] in NAMES
        and change["address"].startswith(f"module.{module}")
        # A function's resources differ by the function's name, which is included.
        and change["type"] not in {"aws_lambda_alias", "aws_lambda_permission"}
    ]


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory, aws: str) -> list[dict[str, Any]]:
    """Plan two installations in one region, and one with a further action in another region."""
    folder = tmp_path_factory.mktemp("root")
    service = folder / "catalog" / "service"
    shutil.copytree(ROOT / "catalog", folder / "catalog")
    shutil.copytree(service / "restart_service", service / "drain_service")
    root(
        folder,
        slipway={
            "for_each": '${toset(["first", "second"])}',
            "name_prefix": "${each.key}",
            "providers": {"aws": "aws"},
        },
        other={
            "name_prefix": "first",
            "catalog_dir": str(folder / "catalog"),
            "providers": {"aws": "aws.other"},
        },
    )
    return planned(folder, aws)


def test_module_is_planned_twice_with_for_each(changes: list[dict[str, Any]]) -> None:
    found = names(changes, "slipway")

    assert len(found) > 150
    assert len(found) == len(set(found))


def test_same_prefix_in_two_regions_shares_no_account_wide_name(
    changes: list[dict[str, Any]],
) -> None:
    found = [each for each in names(changes) if each[0] in ACCOUNT_WIDE]

    assert {kind for kind, _ in found} == ACCOUNT_WIDE
    assert len(found) == len(set(found))


def test_second_region_is_named_in_policies_and_addresses(changes: list[dict[str, Any]]) -> None:
    other = [change for change in changes if change["address"].startswith("module.other.")]
    text = json.dumps([change["change"]["after"] for change in other])

    assert "us-east-1" in text
    # Port's brokers are in Europe.
    assert "eu-west-1" not in text.replace("kafka.eu-west-1.amazonaws.com", "")


@pytest.fixture(scope="module")
def addresses(changes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the addresses of the plan with the shipped catalog, and with one more action."""
    modules = {"before": 'module.slipway["first"].', "after": "module.other."}
    return {
        name: {
            change["address"].removeprefix(module): change["change"]["after"]
            for change in changes
            if change["address"].startswith(module)
        }
        for name, module in modules.items()
    }


def test_new_action_gets_a_function_trigger_role_and_alarms(
    addresses: dict[str, dict[str, Any]],
) -> None:
    new = addresses["after"].keys() - addresses["before"].keys()

    assert new == {
        address.replace("restart_service", "drain_service")
        for address in addresses["before"]
        if "restart_service" in address
    }
    assert {
        'module.function["drain_service"].aws_iam_role.this',
        'module.function["drain_service"].aws_lambda_function.this',
        'module.kafka_trigger["drain_service"].aws_lambda_event_source_mapping.this',
        'module.observability.aws_cloudwatch_metric_alarm.this["first-drain_service-errors"]',
    } <= new


def test_new_action_needs_no_build(addresses: dict[str, dict[str, Any]]) -> None:
    archives = {
        name: {key: one["key"] for key, one in plan.items() if "object.artifact" in key}
        for name, plan in addresses.items()
    }
    function = addresses["after"]['module.function["drain_service"].aws_lambda_function.this']

    assert archives["after"] == archives["before"]
    assert function["s3_key"] == archives["before"]['aws_s3_object.artifact["action"]']


def test_region_without_arm64_is_refused(tmp_path: Path, aws: str) -> None:
    root(tmp_path, slipway={})
    text = (tmp_path / "main.tf.json").read_text()
    (tmp_path / "main.tf.json").write_text(text.replace("eu-west-1", "ca-west-1"))

    with pytest.raises(AssertionError, match="Lambda has no arm64 in ca-west-1"):
        planned(tmp_path, aws)


@pytest.mark.parametrize("file", sorted(STACK.glob("**/versions.tf")), ids=lambda f: f.parent.name)
def test_module_accepts_a_root_with_provider_6(file: Path) -> None:
    *_, constraint = re.findall(r' version = "(.*)"', file.read_text())
    accepted = SpecifierSet(constraint)

    assert "5.100.0" in accepted
    assert "6.30.0" in accepted & SpecifierSet(">=6.0,<7.0")
    assert "7.0.0" not in accepted


def test_examples_have_the_modules_lock_file() -> None:
    lock = (STACK / ".terraform.lock.hcl").read_text()

    assert {
        file.parent.name: file.read_text() == lock
        for file in (ROOT / "examples").glob("*/.terraform.lock.hcl")
    } == {"msk": True, "port-hosted": True, "sandbox": True, "webhook": True}


def test_module_has_no_provider_and_no_backend() -> None:
    blocks = re.compile(r'^\s*(?:provider|backend) "', re.MULTILINE)

    assert [file for file in STACK.glob("**/*.tf") if blocks.search(file.read_text())] == []
