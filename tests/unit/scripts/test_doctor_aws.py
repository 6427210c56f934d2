"""Check AWS with a server that answers like the real one."""

import base64
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from slipway.catalog.reading import read_folder

from scripts.checks import aws
from scripts.checks.places import places
from scripts.checks.result import Installation
from tests.catalogs.samples import SHIPPED
from tests.scripted import Answer, ScriptedServer

pytestmark = pytest.mark.waits

FUNCTIONS = aws.function_names(Installation({}))
ALIASES = [f"GET /2015-03-31/functions/slipway-{name}/aliases/live" for name in FUNCTIONS]
MAPPINGS = "GET /2015-03-31/event-source-mappings"


def secret(**fields: str) -> tuple[int, dict[str, str], dict[str, str]]:
    return 200, {"SecretString": json.dumps(fields)}, {}


POLICY = {
    "schema_version": 1,
    "repositories": {"services": {"name": "acme/services"}},
    "rules": [{"actions": ["*"], "environments": ["*"], "auto_merge": True}],
    "default": {"approval": {"emails": ["ops@acme.example"]}},
    "own_actions": {},
}


def deployed(server: ScriptedServer, policy: dict[str, Any], **changes: str) -> None:
    """Deploy the shipped catalog with replaced texts, and a policy."""
    files = {**read_folder(SHIPPED), **{path: text.encode() for path, text in changes.items()}}
    stored = {path: base64.b64encode(data).decode() for path, data in files.items()}
    variables = {
        "CATALOG_BUCKET": "records",
        "CATALOG_KEY": "catalog/catalog.json",
        "CATALOG_VERSION": "v1",
        "RECORDS_BUCKET": "records",
        "POLICY_KEY": "policy/policy.json",
    }
    for function in ("sweep_runs", "approval"):
        place = f"GET /2015-03-31/functions/slipway-{function}"
        server.script(f"{place}/aliases/live", (200, {"FunctionVersion": "1"}, {}))
        known = {"Environment": {"Variables": variables}}
        server.script(f"{place}/configuration", (200, known, {}))
    server.script("GET /records/catalog/catalog.json", (200, {"files": stored}, {}))
    server.script("GET /records/policy/policy.json", (200, policy, {}))


def test_deployed_catalog_with_a_fitting_policy_is_fine(
    server: ScriptedServer, installation: Installation
) -> None:
    deployed(server, POLICY)

    result = aws.catalog(installation)

    assert result.ok, result
    (asked,) = [each for each in server.requests if each.route.endswith("catalog.json")]
    assert "versionId=v1" in asked.query


def test_undeployed_catalog_is_named(server: ScriptedServer, installation: Installation) -> None:
    deployed(server, POLICY, **{"bucket/resource.yaml": "identifier: other"})

    result = aws.catalog(installation)

    assert (result.ok, result.detail) == (False, "not as deployed: bucket/resource.yaml")
    assert "catalog_dir" in result.cure


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repositories": {"other": {"name": "acme/other"}}}, "has no 'services'"),
        ({"limits": {"upscale": {"max": 3}}}, "Limits are for 'upscale'"),
        ({"rules": [{"actions": ["*"], "environments": ["Live"]}]}, "environment 'Live'"),
    ],
)
def test_policy_mismatch_with_the_catalog_is_named(
    server: ScriptedServer, installation: Installation, change: dict[str, Any], said: str
) -> None:
    deployed(server, POLICY | change)

    result = aws.catalog(installation)

    assert result.ok is False
    assert said in result.detail


def test_map_is_read_from_the_deployment(
    server: ScriptedServer, installation: Installation
) -> None:
    deployed(server, POLICY)
    settings = {**installation.settings, "GITHUB_REPOSITORIES": ""}

    found = places(Installation(settings))

    assert [place.name for place in found.values()] == ["acme/services"]


NO_SECRET: Answer = (400, {"__type": "ResourceNotFoundException", "message": "no"}, {})
PORT_SECRET = secret(client_id="a", client_secret="b")
KAFKA_SECRET = secret(username="a", password="b")


@pytest.mark.parametrize(
    "fields",
    [{"token": "t"}, {"app_id": "1", "installation_id": "2"}],
)
def test_complete_secrets_are_not_a_fault(
    server: ScriptedServer, installation: Installation, key: str, fields: dict[str, str]
) -> None:
    github_secret = secret(**fields, private_key=key)
    links = secret(key="c")
    server.script("POST /", PORT_SECRET, github_secret, NO_SECRET, KAFKA_SECRET, links)

    assert aws.secrets(installation).ok


def test_unusable_secret_is_named(server: ScriptedServer, installation: Installation) -> None:
    wrong = secret(app_id="1", installation_id="2", private_key="hidden-value")
    links = secret(key="c")
    server.script("POST /", PORT_SECRET, wrong, NO_SECRET, KAFKA_SECRET, links)

    result = aws.secrets(installation)

    assert result.ok is False
    assert "slipway/github is wrong: 'private_key'" in result.detail
    assert "hidden-value" not in result.detail


def test_incomplete_secrets_are_named_without_their_values(
    server: ScriptedServer, installation: Installation
) -> None:
    half = secret(app_id="hidden-value", private_key="")
    server.script("POST /", PORT_SECRET, half, NO_SECRET, NO_SECRET)

    result = aws.secrets(installation)

    assert result.ok is False
    assert "slipway/github lacks fields" in result.detail
    assert "slipway/kafka is missing or has no value" in result.detail
    assert "hidden-value" not in result.detail


@pytest.mark.parametrize(("state", "ok"), [("Enabled", True), ("Disabled", False)])
def test_event_source_mapping_is_fine_only_when_enabled(
    server: ScriptedServer, installation: Installation, state: str, ok: bool
) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-create_service:live"
    for alias in ALIASES:
        server.script(alias, (200, {"AliasArn": arn}, {}))
    answer = {"EventSourceMappings": [{"State": state, "StateTransitionReason": "by hand"}]}
    server.script(MAPPINGS, (200, answer, {}))

    result = aws.functions(installation)

    assert result.ok is ok
    assert ok or "Disabled (by hand)" in result.detail


@pytest.mark.parametrize(("source", "asked"), [("kafka", False), ("webhook", True)])
def test_receiving_function_is_checked_for_webhooks_only(
    server: ScriptedServer, installation: Installation, source: str, asked: bool
) -> None:
    by = Installation({**installation.settings, "RUN_SOURCE": source}, installation.name_prefix)
    missing = {"X-Amzn-ErrorType": "ResourceNotFoundException"}
    for alias in ALIASES:
        server.script(alias, (404, {"Type": "User", "Message": "no"}, missing))

    aws.functions(by)

    assert any("slipway-receive_webhook" in route for route in server.routes()) is asked


def test_kafka_secret_is_not_checked_for_webhooks(
    server: ScriptedServer, installation: Installation
) -> None:
    by = Installation({**installation.settings, "RUN_SOURCE": "webhook"}, installation.name_prefix)
    server.script("POST /", PORT_SECRET, secret(token="t"), secret(key="c"))

    assert aws.secrets(by).ok


def test_missing_function_is_a_fault(server: ScriptedServer, installation: Installation) -> None:
    error = {"Type": "User", "Message": "no"}
    for alias in ALIASES:
        server.script(alias, (404, error, {"X-Amzn-ErrorType": "ResourceNotFoundException"}))

    result = aws.functions(installation)

    assert result.ok is False
    assert "has no alias 'live'" in result.detail


def test_account_with_a_log_role_is_not_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    role = "arn:aws:iam::123456789012:role/api-gateway-log"
    server.script("GET /account", (200, {"cloudwatchRoleArn": role}, {}))

    result = aws.api_log_role(installation)

    assert (result.ok, result.detail) == (True, role)


def test_account_without_a_log_role_is_a_fault(
    server: ScriptedServer, installation: Installation
) -> None:
    server.script("GET /account", (200, {"throttleSettings": {"burstLimit": 5000}}, {}))

    result = aws.api_log_role(installation)

    assert (result.ok, result.detail) == (False, "the account has none")
    assert "manage_account = true" in result.cure


def test_unreadable_account_is_a_fault(server: ScriptedServer, installation: Installation) -> None:
    denied = {"message": "not authorized"}
    headers = {"X-Amzn-ErrorType": "AccessDeniedException"}
    server.script("GET /account", (403, denied, headers))

    result = aws.api_log_role(installation)

    assert result.ok is False
    assert "AccessDenied" in result.detail


CANARY = {"canary_url": "https://canary.example/"}
ALLOWED = ["https://*.acme.example/"]


@pytest.mark.parametrize(
    ("mode", "allowed", "limits", "ok", "detail"),
    [
        ("repair", ALLOWED, CANARY, True, "by https://*.acme.example/"),
        ("repair", [], CANARY, False, "no health URL is allowed"),
        ("repair", ALLOWED, {"canary_url": None}, False, "no canary"),
        ("verify", [], {}, True, "remediation.mode is verify"),
    ],
)
def test_repairs_need_allowed_urls_and_a_canary(
    mode: str, allowed: list[str], limits: dict[str, Any], ok: bool, detail: str
) -> None:
    result = aws.repair_result("repairs", mode, allowed, limits)

    assert result.ok is ok
    assert result.detail.startswith(detail)
    assert ok or "Set health" in result.cure


def test_aws_checks_are_skipped_without_aws() -> None:
    assert aws.api_log_role(Installation({})).ok is None
    assert aws.secrets(Installation({})).ok is None
    assert aws.functions(Installation({})).ok is None
    assert aws.repairs(Installation({})).ok is None
    assert [row.ok for row in aws.approvers(Installation({}))] == [None]


APPROVER = "devops@acme.example"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:slipway-approvals"


@pytest.mark.parametrize(
    ("arn", "authenticated", "fault"),
    [
        (f"{TOPIC}:1", "true", ""),
        (f"{TOPIC}:1", "false", "a click on a link in any e-mail ends it"),
        ("PendingConfirmation", None, "not confirmed"),
        (None, None, "not subscribed"),
    ],
)
def test_each_approver_has_a_row(arn: str | None, authenticated: str | None, fault: str) -> None:
    sns = boto3.client("sns", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(sns) as answers:
        found = [{"Endpoint": APPROVER, "SubscriptionArn": arn}] if arn else []
        answers.add_response("list_subscriptions_by_topic", {"Subscriptions": found})
        if authenticated:
            attributes = {"ConfirmationWasAuthenticated": authenticated}
            answers.add_response("get_subscription_attributes", {"Attributes": attributes})

        (row,) = aws.subscriptions(sns, TOPIC, [APPROVER])

    assert row.name == f"AWS: e-mails to {APPROVER}"
    assert (row.ok, row.detail if fault else "") == (not fault, fault)
    assert fault == "" or "scripts/confirm" in row.cure
