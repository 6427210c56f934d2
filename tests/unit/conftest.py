"""Shared by unit tests: AWS by moto, and a run's message."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.useragent import UserAgentString
from moto import mock_aws
from moto.backends import get_backend
from moto.core.base_backend import BaseBackend
from slipway import aws as clients
from slipway import config
from slipway.catalog.loading import load_catalog
from slipway.catalog.model import Catalog
from slipway.catalog.reading import read_folder
from slipway.port.message import Requester, RunMessage
from slipway.runs import catalogs

from tests.entities import shipped

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
RUN_ID = "r_0123456789abcdef"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "PORT_BASE_URL": "https://port.test",
    "PORT_APP_URL": "https://app.port.test",
    "PORT_SECRET_ID": "slipway/port",
    "GITHUB_API_URL": "https://github.test/api/v3",
    "GITHUB_SECRET_ID": "slipway/github",
    "CATALOG_BUCKET": "catalog",
    "CATALOG_KEY": "catalog.json",
    "CATALOG_VERSION": "first",
    "ACTION": "create_service",
    "HEALTH_BLUEPRINTS": '["service"]',
    "RUNS_TABLE": "runs",
    "LOCKS_TABLE": "locks",
    "IDEMPOTENCY_TABLE": "idempotency",
    "DELIVER_LATER_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:deliver_later",
    "RECORDS_BUCKET": "records",
    "POLICY_KEY": "policy/policy.json",
    "APPROVAL_MACHINE_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:approval",
    "APPROVALS_TABLE": "approvals",
    "AUDIT_BUCKET": "audit",
    "APPROVALS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:approvals",
    "LINKS_SECRET_ID": "slipway/links",
    "LINKS_BASE_URL": "https://links.test/live",
    "REMEDIATIONS_TABLE": "remediations",
    "REMEDIATION_MACHINE_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:remediation",
    "REMEDIATION_POLICY_KEY": "policy/remediation.json",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:alerts",
    "SWEEP_LIMITS": '{"never_received": 900, "report": 1800, "held": 259200}',
    # An import of a command switches them off in the whole process.
    "POWERTOOLS_METRICS_DISABLED": "false",
}
TABLES = {
    "runs": "run_id",
    "locks": "service",
    "idempotency": "id",
    "approvals": "id",
    "remediations": "service",
}
INDEXES = {"runs": ("open", "open_since"), "remediations": ("at_work",)}
POLICY: dict[str, Any] = {
    "schema_version": 1,
    "domain_aliases": {"acme.test": "acme.example"},
    "repositories": {"services": {"name": "acme/services"}},
    "limits": {
        action: {"min": 1, "max": 10, "max_step": 3, "default_step": 1}
        for action in ("upscale_service", "downscale_service")
    },
    "settings": {"health_allowed": ["https://*.test/"]},
    "rules": [
        {"actions": ["create_service"], "environments": ["*"], "auto_merge": False},
        {"actions": ["*"], "environments": ["Test", "Staging"], "auto_merge": True},
    ],
    "default": {
        "approval": {
            "emails": ["devops@acme.example"],
            "teams": [],
            "count": 1,
            "expires_after_seconds": 3600,
            "remind_before_seconds": 600,
        },
        "auto_merge": True,
    },
    "approver_principals": {"approver": "devops@acme.example"},
    "team_reviewers": {"payments": ["team:payments"]},
    "own_actions": {
        action: f"arn:aws:lambda:eu-west-1:123456789012:function:slipway-{action}:live"
        for action in ("create_service", "upscale_service", "delete_service")
    },
}


_new_client = boto3.client
_KEPT_URLS = property(cache(vars(BaseBackend)["urls"].fget))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Provide an empty AWS account with Slipway's tables, bucket, secrets and state machine."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    config.load.cache_clear()
    config._current_secrets.cache_clear()
    # Only botocore calls AWS; moto's patterns for `requests` would slow each HTTP call.
    monkeypatch.setattr("moto.core.models.RESPONSES_METHODS", [])
    # moto ignores user agents, and makes its patterns again for each request.
    monkeypatch.setattr(UserAgentString, "to_string", lambda _self: "tests")
    monkeypatch.setattr(BaseBackend, "urls", _KEPT_URLS)
    # A shared boto3 session reads botocore's service models once, which halves the time.
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        _make_account_again()
        monkeypatch.setattr(catalogs, "load_catalog", _load_once)
        monkeypatch.setattr(boto3, "client", _kept_client)
        monkeypatch.setenv("CATALOG_VERSION", put_catalog(_shipped()))
        yield
    config.load.cache_clear()
    config._current_secrets.cache_clear()


@cache
def _client_at(_endpoints: tuple[str, ...], *names: Any, **options: Any) -> Any:
    return _new_client(*names, **options)


def _kept_client(*names: Any, **options: Any) -> Any:
    """Return the client of an earlier test: a new one takes longer than most calls."""
    endpoints = (value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL"))
    return _client_at(tuple(endpoints), *names, **options)


# The state that moto's backends keep of a new account: service, region, attribute.
_MADE = (
    ("dynamodb", "eu-west-1", "tables"),
    ("s3", "aws", "buckets"),
    ("sns", "eu-west-1", "topics"),
    ("stepfunctions", "eu-west-1", "state_machines"),
)


@cache
def _account() -> dict[str, tuple[Any, Any]]:
    """Return each service's backend and its state in a new account; runs once, in an empty moto."""
    make_account()
    found = {}
    for service, region, attribute in _MADE:
        there = backend(service, region)
        found[service] = (there, deepcopy(getattr(there, attribute), {id(there): there}))
    for bucket in found["s3"][1].values():
        bucket.keys.clear()
    return found


def _make_account_again() -> None:
    """Give moto's backends copies of an account, in a fifth of the time of a new one."""
    made = _account()
    for service, region, attribute in _MADE:
        before, things = made[service]
        now = backend(service, region)
        setattr(now, attribute, deepcopy(things, {id(before): now}))
    owners: Any = get_backend("s3")
    owners.bucket_accounts.update(dict.fromkeys(made["s3"][1], ("aws", ACCOUNT)))
    put_policies()


def backend(service: str, region: str = "eu-west-1") -> Any:
    """Return moto's backend of a service."""
    return get_backend(service)[ACCOUNT][region]  # type: ignore[call-overload]  # not a literal


def make_account() -> None:
    """Create Terraform's tables, buckets with a policy, state machines and topics."""
    for table, key in TABLES.items():
        sparse = INDEXES.get(table, ())
        indexes: Any = {"GlobalSecondaryIndexes": [index(*sparse)]} if sparse else {}
        clients.dynamodb().create_table(
            TableName=table,
            KeySchema=keys(key),
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in (key, *sparse)
            ],
            BillingMode="PAY_PER_REQUEST",
            **indexes,
        )
    place: Any = {"LocationConstraint": "eu-west-1"}
    for bucket in ("records", "audit", "catalog"):
        clients.s3().create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    clients.s3().put_bucket_versioning(
        Bucket="catalog", VersioningConfiguration={"Status": "Enabled"}
    )
    put_policies()
    for machine in ("deliver_later", "approval", "remediation"):
        clients.stepfunctions().create_state_machine(
            name=machine,
            definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            roleArn=f"arn:aws:iam::123456789012:role/{machine}",
        )
    for topic in ("approvals", "alerts"):
        clients.sns().create_topic(Name=topic)


def keys(*names: str) -> Any:
    """Return a hash key, and a range key if there is one."""
    kinds = zip(names, ("HASH", "RANGE"), strict=False)
    return [{"AttributeName": name, "KeyType": kind} for name, kind in kinds]


def index(*names: str) -> Any:
    """Return a sparse index, as Terraform creates it, named after its last key."""
    return {
        "IndexName": names[-1],
        "KeySchema": keys(*names),
        "Projection": {"ProjectionType": "ALL"},
    }


def put_catalog(files: Mapping[str, bytes]) -> str:
    """Store a catalog as Terraform does; return its version."""
    encoded = {path: base64.b64encode(data).decode() for path, data in files.items()}
    body = json.dumps({"files": encoded}).encode()
    return str(backend("s3", "aws").put_object("catalog", "catalog.json", body).version_id)


@cache
def _shipped() -> dict[str, bytes]:
    return read_folder(ROOT / "catalog")


def _load_once(files: Mapping[str, bytes]) -> Catalog:
    """Parse a catalog; the shipped one, which most tests read, is cached."""
    return shipped() if dict(files) == _shipped() else load_catalog(files)


def put_policies() -> None:
    """Store the documents of Terraform and the platform team in the records bucket."""
    for name in ("consumers", "queues"):
        store_record(f"policy/{name}.json", b"{}")
    set_policy(POLICY)


def set_policy(policy: dict[str, Any]) -> None:
    """Store a policy document where the functions read it."""
    store_record("policy/policy.json", json.dumps(policy).encode())


def store_record(key: str, body: bytes) -> None:
    """Store a record without a request, which takes most of the time."""
    backend("s3", "aws").put_object("records", key, body)


def make_message(**changes: Any) -> RunMessage:
    """Make a request to create `my-demo-service`."""
    defaults: dict[str, Any] = {
        "run_id": RUN_ID,
        "action": "create_service",
        "blueprint": "service",
        "entity": None,
        "operation": "CREATE",
        "requester": Requester(user_id="auth0|1", email="dev@acme.example", name="Dee Veloper"),
        "requested_at": datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        "inputs": {},
        "censored": (),
        "entity_snapshot": None,
    }
    return RunMessage(**{**defaults, **changes})
