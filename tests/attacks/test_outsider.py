"""The outsider: has no account anywhere, but may have found an old secret or a forwarded link."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import boto3
import pytest
import time_machine
from slipway.approvals.function import ApprovalFunction
from slipway.approvals.links import Link, sign
from slipway.config import PREVIOUS_COUNTS, PortConfig, load
from slipway.errors import LinkRejected
from slipway.runs.clients import signing_secrets

LEAKED, RENEWED = "leaked-" + "a" * 40, "renewed-" + "b" * 40
ROTATED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LINK = Link("r_0123456789abcdef.1", "devops@acme.example", ROTATED_AT + timedelta(days=30))


@pytest.fixture
def rotated(aws: None) -> None:
    """The link key and Port's secret were rotated; the outsider holds what they were before."""
    secrets = boto3.client("secretsmanager")
    with time_machine.travel(ROTATED_AT, tick=False):
        for name, field in ("slipway/links", "key"), ("slipway/port", "client_secret"):
            leaked, renewed = ({"client_id": "id", field: value} for value in (LEAKED, RENEWED))
            secrets.create_secret(Name=name, SecretString=json.dumps(leaked))
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps(renewed))


@pytest.mark.usefixtures("rotated")
def test_link_of_leaked_key_is_rejected_when_rotation_is_old() -> None:
    token = sign(LINK, LEAKED)

    with (
        time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS + timedelta(seconds=1), tick=False),
        pytest.raises(LinkRejected),
    ):
        ApprovalFunction().read_link(token)


@pytest.mark.usefixtures("rotated")
def test_link_of_previous_key_counts_when_rotation_is_recent() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS, tick=False):
        assert ApprovalFunction().read_link(sign(LINK, LEAKED)) == LINK


@pytest.mark.usefixtures("rotated")
def test_leaked_port_secret_does_not_sign_when_rotation_is_old() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS + timedelta(seconds=1), tick=False):
        assert list(signing_secrets(load(PortConfig))) == [RENEWED, RENEWED]


@pytest.mark.usefixtures("rotated")
def test_previous_port_secret_signs_when_rotation_is_recent() -> None:
    with time_machine.travel(ROTATED_AT + PREVIOUS_COUNTS, tick=False):
        assert LEAKED in islice(signing_secrets(load(PortConfig)), 3)
