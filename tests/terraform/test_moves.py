"""An installation from before the shared modules keeps all its resources.

The current code plans a state with the old addresses. `addresses.txt` lists them, each after the
version of its type's schema.
"""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from tests.terraform.conftest import ROOT, planned

ADDRESSES = ROOT / "tests" / "fixtures" / "terraform" / "addresses.txt"
PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'


def resource(line: str) -> dict[str, Any]:
    """Make a state entry for a line of `addresses.txt`.

    Tainted, because its attributes are not known: Terraform would replace it where it is.
    """
    version, _, address = line.partition(" ")
    place = re.fullmatch(r"(?:(module\..*)\.)?(\w+)\.(\w+)(?:\[(.*)\])?", address)
    assert place, address
    module, kind, name, index = place.groups()
    builtin = kind == "terraform_data"
    instance = {
        "status": "tainted",
        "schema_version": int(version),
        "attributes": {"id": "any"},
    }
    return {
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider": 'provider["terraform.io/builtin/terraform"]' if builtin else PROVIDER,
        "instances": [instance if index is None else instance | {"index_key": json.loads(index)}],
        **({"module": module} if module else {}),
    }


def merged(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Combine all instances of a resource into one entry."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in resources:
        key = (one.get("module"), one["type"], one["name"])
        found.setdefault(key, {**one, "instances": []})["instances"] += one["instances"]
    return list(found.values())


def test_installed_state_moves_without_a_destroy(tmp_path: Path, aws: str) -> None:
    # Given a state with the old addresses
    lines = ADDRESSES.read_text().splitlines()
    state = {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 1,
        "lineage": "00000000-0000-0000-0000-000000000000",
        "outputs": {},
        "resources": merged([resource(line) for line in lines]),
    }
    (tmp_path / "terraform.tfstate").write_text(json.dumps(state))
    # And a root that calls the module with the same settings and the old actions
    catalog = tmp_path / "catalog"
    shutil.copytree(
        ROOT / "catalog", catalog, ignore=shutil.ignore_patterns("bucket", "restart_service")
    )
    call = {
        "source": os.path.relpath(ROOT / "terraform", tmp_path),
        "artifacts_dir": str(ROOT / "terraform" / "tests" / "artifacts"),
        "catalog_dir": str(catalog),
        "name_prefix": "first",
        "port": {"org_id": "org_xxxxxxxxxxxxxxxx"},
        "github": {"repositories": {"services": {"name": "acme/services"}}},
        "approvals": {"approvers": {"emails": ["devops@acme.example"]}},
        "alarm_emails": ["platform@acme.example"],
        "remediation": {"alert_emails": ["platform@acme.example"]},
        "health_probe": {"vpc": {"subnet_ids": ["subnet-a"], "security_group_ids": ["sg-b"]}},
        "secret_versions": {"slack": 1},
        "account_suffix": "",
        "features": {"waf": True},
        "provisioned_pollers": {"min": 1, "max": 1},
    }
    (tmp_path / "main.tf.json").write_text(json.dumps({"module": {"slipway": call}}))
    shutil.copy(ROOT / "examples" / "moved.tf", tmp_path)

    # When it is planned
    changes = planned(tmp_path, aws)

    # Then each resource keeps its place, except for code archives that are now one
    assert len(lines) > 200
    assert {
        change["address"]
        for change in changes
        if change.get("action_reason", "").startswith("delete_")
    } == {
        f'module.slipway.aws_s3_object.artifact["{action}"]'
        for action in ("create_service", "delete_service", "downscale_service", "upscale_service")
    }
    # And no existing resource is created again
    made = {c["address"] for c in changes if c["change"]["actions"] == ["create"]}
    checker = {one for one in made if one.startswith("module.slipway.module.check_catalog.")}
    assert made - checker == {
        "module.slipway.aws_lambda_invocation.check_catalog",
        'module.slipway.aws_s3_object.artifact["action"]',
        'module.slipway.aws_s3_object.artifact["check_catalog"]',
        "module.slipway.aws_s3_object.catalog",
        "module.slipway.aws_s3_object.queues",
        'module.slipway.module.observability.aws_cloudwatch_metric_alarm.query["first-rung"]',
    }
