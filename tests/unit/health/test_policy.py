import json
from pathlib import Path
from typing import Any

import pytest
from slipway.errors import ConfigurationError
from slipway.health.policy import Policy, Restart, RollBack, ScaleUp, parse_policy

# The environments are words of the catalog, so they have no default.
SMALLEST: dict[str, Any] = {
    "schema_version": 1,
    "environments": ["Test", "Staging"],
    "auto_merge_environments": ["Test", "Staging"],
}
# Terraform writes this by default: see terraform/tests/stack.tftest.hcl.
WRITTEN = Path(__file__).parents[2] / "fixtures" / "terraform" / "remediation_policy.json"


def test_terraform_default_is_the_default_remediation_policy() -> None:
    assert parse_policy(WRITTEN.read_bytes()) == parse_policy(json.dumps(SMALLEST))


@pytest.mark.parametrize("mode", ["repair", "verify", "off"])
def test_every_mode_from_terraform_is_read(mode: str) -> None:
    document = json.loads(WRITTEN.read_bytes()) | {"mode": mode}

    assert parse_policy(json.dumps(document)).mode == mode


def test_smallest_policy_has_safe_defaults() -> None:
    policy = parse_policy(json.dumps(SMALLEST))

    assert policy == Policy.model_validate(SMALLEST)
    assert [strategy.kind for strategy in policy.strategies] == ["restart", "roll_back", "scale_up"]
    assert not any(isinstance(s, RollBack) and s.auto_merge for s in policy.strategies)


def test_complete_policy_survives_a_round_trip() -> None:
    document = {
        "schema_version": 1,
        "mode": "verify",
        "strategies": [
            {"kind": "scale_up", "attempts": 2, "wait_seconds": 5, "step": 2, "max_replicas": 8},
            {"kind": "roll_back", "auto_merge": True},
            {"kind": "restart", "attempts": 3},
        ],
        "environments": ["Test", "Production"],
        "auto_merge_environments": [],
        "approval_environments": ["Production"],
        "max_per_hour": 2,
        "quiet_seconds": 60,
        "verify": {"probes": 3, "interval_seconds": 1, "healthy_after": 1, "unhealthy_after": 2},
        "settle": {"probes": 6, "interval_seconds": 1, "healthy_after": 2, "unhealthy_after": 6},
    }

    policy = parse_policy(json.dumps(document))

    assert policy.strategies == (
        ScaleUp(attempts=2, wait_seconds=5, step=2, max_replicas=8),
        RollBack(auto_merge=True),
        Restart(attempts=3),
    )
    assert parse_policy(policy.model_dump_json()) == policy


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"mode": "on"}, "mode"),
        ({"strategies": [{"kind": "pray"}]}, "strategies.0"),
        ({"strategies": [{"kind": "restart"}, {"kind": "restart"}]}, "each may appear once"),
        ({"strategies": [{"kind": "restart", "wait_seconds": 4}]}, "wait_seconds"),
        ({"strategies": [{"kind": "restart", "attempts": 0}]}, "attempts"),
        ({"strategies": [{"kind": "restart", "attempts": 99}]}, "attempts"),
        ({"strategies": [{"kind": "restart", "auto_merge": True}]}, "auto_merge"),
        ({"environments": [""]}, "environments"),
        ({"environments": None}, "environments"),
        ({"trusted_urls": []}, "trusted_urls"),
        ({"approval_environments": ["Production"]}, "approval_environments must be some of"),
        ({"max_per_hour": 0}, "max_per_hour"),
        ({"verify": {"probes": 1}}, "verify"),
        ({"verfy": {}}, "verfy"),
    ],
)
def test_policy_error_names_the_faulty_field(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError, match="remediation policy") as raised:
        parse_policy(json.dumps(SMALLEST | change))

    assert where in str(raised.value)


@pytest.mark.parametrize("name", ["environments", "auto_merge_environments"])
def test_policy_without_environments_is_refused(name: str) -> None:
    document = {key: value for key, value in SMALLEST.items() if key != name}

    with pytest.raises(ConfigurationError, match=name):
        parse_policy(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff", "null", "[]", '"x"'])
def test_invalid_policy_document_is_a_configuration_error(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError):
        parse_policy(text)
