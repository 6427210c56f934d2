"""Write an installation's Terraform root: one module call.

The inputs are in a separate file. Secrets are ephemeral inputs: they come from the environment and
are not written to a file.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.installing.config import Config
from scripts.installing.organization import Organization

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = ROOT / "terraform"
TFVARS = "terraform.tfvars.json"
_EPHEMERAL = ("port_credentials", "github_credentials", "kafka_credentials")
_NOTE = "Written by scripts/install at each run: change slipway.toml instead."
Json = dict[str, Any]


def tfvars(
    config: Config, organization: Organization, *, manage_log_role: bool, numbers: Mapping[str, int]
) -> Json:
    """Return the module's inputs.

    Args:
        config: the configuration; its `terraform` overrides derived inputs.
        organization: of Port.
        manage_log_role: whether the account lacks API Gateway's log role.
        numbers: repository to the App's installation, where owners differ; others have the first.
    """
    known = {
        "name_prefix": config.name_prefix,
        "port": {
            "base_url": config.port.base_url,
            "app_url": config.port.app_url,
            "org_id": organization.number,
        },
        "github": {
            "api_url": config.github.api_url,
            "repositories": {
                key: each.model_dump(exclude_none=True) | _installation(numbers, each.name)
                for key, each in config.github.repositories.items()
            },
            "team_reviewers": config.github.team_reviewers,
        },
        **_source(config, organization),
        "approvals": {
            "approvers": {"emails": config.approvers},
            "api": {"manage_account": manage_log_role},
        },
        "alarm_emails": config.alarm_emails,
        # Repairs need health URLs that the operator trusts.
        "remediation": {"mode": "verify"},
    }
    return _merged(known, config.terraform)


def _installation(numbers: Mapping[str, int], repository: str) -> Json:
    if len(set(numbers.values())) <= 1:
        return {}
    return {"installation_id": str(numbers[repository])}


def _source(config: Config, organization: Organization) -> Json:
    if config.source == "webhook":
        return {"run_source": {"mode": "webhook"}}
    return {"kafka": {"mode": "external", "bootstrap_servers": organization.brokers}}


def _merged(below: Json, above: Json) -> Json:
    both = {
        name: _merged(below[name], value)
        for name, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(name), dict)
    }
    return below | above | both


def write_root(folder: Path, config: Config, inputs: Json) -> None:
    """Write the root; its provider accepts only the configured account."""
    s3 = {
        "bucket": config.aws.state_bucket,
        "key": f"{config.name_prefix}.tfstate",
        "region": config.aws.region,
        "encrypt": True,
        "use_lockfile": True,
    }
    variables: Json = {name: {"type": "any"} for name in inputs}
    ephemeral = {"type": "any", "default": None, "ephemeral": True}
    root = {
        "//": _NOTE,
        "terraform": {
            "required_version": ">= 1.11, < 2.0",
            "required_providers": {
                "aws": {"source": "hashicorp/aws", "version": ">= 5.100, < 7.0"}
            },
            **({"backend": {"s3": s3}} if config.aws.state_bucket else {}),
        },
        "provider": {
            "aws": {"region": config.aws.region, "allowed_account_ids": [config.aws.account]}
        },
        "variable": variables | dict.fromkeys(_EPHEMERAL, ephemeral),
        "module": {
            "slipway": {
                "source": os.path.relpath(MODULE, folder),
                **{name: f"${{var.{name}}}" for name in (*inputs, *_EPHEMERAL)},
            }
        },
        "output": {"slipway": {"value": "${module.slipway}"}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(MODULE / ".terraform.lock.hcl", folder)
    (folder / "main.tf.json").write_text(json.dumps(root, indent=2) + "\n", encoding="utf-8")
    (folder / TFVARS).write_text(json.dumps(inputs, indent=2) + "\n", encoding="utf-8")


def secret_inputs(organization: Organization, app: dict[str, str]) -> dict[str, str]:
    """Return the ephemeral inputs as environment variables for Terraform."""
    values = {
        "port_credentials": organization.credentials,
        "github_credentials": app,
        "kafka_credentials": organization.kafka,
    }
    # A null input at the plan must be unset at the apply, so both leave it out.
    return {f"TF_VAR_{name}": json.dumps(value) for name, value in values.items() if value}
