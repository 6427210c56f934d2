"""Check AWS: account, secrets, functions, triggers. Optional."""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from slipway.catalog.addresses import allowed_urls
from slipway.catalog.check import check_catalog
from slipway.catalog.reading import read_folder, read_object
from slipway.changes.policy import Policy
from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.github.sign_in import authenticate

from scripts.catalog_rules import mismatches, repair_mismatches
from scripts.checks.result import Installation, Result

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient

ALIAS = "live"
_APPLY = (
    "Apply the stack in terraform/, and check AWS_REGION and the name prefix. To resume a paused "
    "(Disabled) function: scripts/resume <function>"
)
_GIVEN = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN")
_FUNCTIONS = Path(__file__).resolve().parent.parent.parent / "functions"
# `action` is the archive of all actions; `check_catalog` has no alias.
_NOT_ITSELF = {"action", "check_catalog"}
_NAMED = 3  # files in a result
# Of each secret, the sets of fields of which one must be filled in.
_FIELDS = {
    "port": [{"client_id", "client_secret"}],
    "github": [{"token"}, {"app_id", "installation_id", "private_key"}],
    "kafka": [{"username", "password"}],
    "links": [{"key"}],
}
# EventBridge, API Gateway or state machines call these, not Kafka.
_WITHOUT_TRIGGER = {
    "sweep_runs",
    "remediation",
    "probe_health",
    "receive_webhook",
    "report_pull_request",
}


def secrets(installation: Installation) -> Result:
    """Check that the secrets have values of the right shape.

    Shows no value.
    """
    name = "AWS: secrets"
    if not is_given(installation):
        return _skipped(name)
    prefix = installation.name_prefix
    names = {
        "port": [f"{prefix}/port"],
        "github": [f"{prefix}/github"],
        # MSK requires its own prefix; functions with IAM leave a password to the mirror.
        "kafka": [f"{prefix}/kafka", f"AmazonMSK_{prefix}", f"{prefix}/mirror"],
        "links": [f"{prefix}/links"],
    }
    if _by_webhook(installation):
        del names["kafka"]
    client = _secrets_manager(installation)
    try:
        wrong = [
            f"{candidates[0]} {fault}"
            for kind, candidates in names.items()
            if (fault := _fault(client, kind, candidates))
        ]
    except (BotoCoreError, ClientError) as error:
        return Result(name, False, str(error), "See the message.")
    cure = (
        "Fill them in (README, 'Secrets'): a JSON object with "
        "client_id and client_secret (port); token, or app_id, installation_id and private_key "
        "(github); username and password (kafka). Terraform creates the secret of the links."
    )
    return Result(name, not wrong, ", ".join(wrong) or "all filled in", cure)


def _by_webhook(installation: Installation) -> bool:
    return installation.settings.get("RUN_SOURCE") == "webhook"


def functions(installation: Installation) -> Result:
    """Check that each function has its alias and an enabled trigger."""
    name = "AWS: functions"
    if not is_given(installation):
        return _skipped(name)
    client = _lambda(installation)
    found = function_names(installation)
    try:
        wrong = [
            f"{function} {fault}"
            for function in found
            if (fault := _function_fault(client, installation.name_prefix, function))
        ]
    except (BotoCoreError, ClientError) as error:
        return Result(name, False, str(error), _APPLY)
    return Result(name, not wrong, "; ".join(wrong) or f"ready: {', '.join(found)}", _APPLY)


def function_names(installation: Installation) -> list[str]:
    """Return all functions that have an alias, with one for each action."""
    others = {file.parent.name for file in _FUNCTIONS.glob("*/handler.py")} - _NOT_ITSELF
    if not _by_webhook(installation):
        others -= {"receive_webhook"}
    kinds = installation.catalog.kinds.values()
    return sorted(others | {name for kind in kinds for name in kind.actions})


def catalog(installation: Installation) -> Result:
    """Check that the functions use this catalog, and that policy and repositories match."""
    name = "AWS: catalog"
    if not is_given(installation):
        return _skipped(name)
    files = read_folder(installation.catalog_folder)
    try:
        place = _environment(installation, "sweep_runs")
        answer = _s3(installation).get_object(
            Bucket=place["CATALOG_BUCKET"],
            Key=place["CATALOG_KEY"],
            VersionId=place["CATALOG_VERSION"],
        )
        deployed = read_object(answer["Body"].read())
        policy = Policy.model_validate(read_policy(installation))
    # A value that is not a policy also raises ValueError.
    except (BotoCoreError, ClientError, KeyError, ValueError) as error:
        return Result(name, False, f"{type(error).__name__}: {error}", _APPLY)
    # Files at the top level are not part of a catalog.
    paths = sorted(path for path in files.keys() | deployed.keys() if "/" in path)
    differ = [path for path in paths if files.get(path) != deployed.get(path)]
    if differ:
        cure = (
            f"Apply the stack with this catalog as catalog_dir, or name the deployed one: "
            f"{installation.catalog_folder} was given by --catalog."
        )
        return Result(name, False, f"not as deployed: {', '.join(differ[:_NAMED])}", cure)
    repositories = {key: each.name for key, each in policy.repositories.items()}
    faults = check_catalog(files, repositories, policy.limits, policy.settings)
    loaded, rules = installation.catalog, [rule.model_dump() for rule in policy.rules]
    unknown = (name for name in policy.limits if loaded.find(name) is None)
    found = [
        *map(str, faults),
        *mismatches(loaded, rules),
        *(f"Limits are for '{name}', which is not an action of the catalog." for name in unknown),
    ]
    cure = "Correct the catalog, or 'approvals' and 'github' in Terraform, and apply the stack."
    return Result(
        name, not found, " ".join(found) or "as deployed, and the policy matches it", cure
    )


def repairs(installation: Installation) -> Result:
    """Check repairs of services, and the prober's own network check."""
    name = "AWS: repairs of services"
    if not is_given(installation):
        return _skipped(name)
    try:
        limits = json.loads(_environment(installation, "probe_health")["HEALTH_PROBE"])
        place = _environment(installation, "remediation")
        document = _s3(installation).get_object(
            Bucket=place["RECORDS_BUCKET"], Key=place["REMEDIATION_POLICY_KEY"]
        )
        policy = json.loads(document["Body"].read())
        settings = Policy.model_validate(read_policy(installation)).settings
    # A value that is not a policy also raises ValueError.
    except (BotoCoreError, ClientError, KeyError, ValueError) as error:
        return Result(name, False, f"{type(error).__name__}: {error}", _APPLY)
    kinds = installation.catalog.kinds.values()
    allowed = [pattern for kind in kinds for pattern in allowed_urls(kind, settings)]
    wrong = list(repair_mismatches(installation.catalog, policy))
    if wrong:
        return Result(name, False, " ".join(wrong), "Correct remediation, and apply the stack.")
    return repair_result(name, str(policy["mode"]), allowed, limits)


def repair_result(name: str, mode: str, allowed: list[str], limits: dict[str, Any]) -> Result:
    """Check the addresses by which services are repaired, and the prober's limits."""
    if mode != "repair":
        return Result(name, True, f"remediation.mode is {mode}")
    wrong, cures = [], []
    if not allowed:
        wrong.append("no health URL is allowed, so services are only checked, not repaired")
        cures.append(
            "Set health.allowed of the catalog (catalog_settings.health_allowed), or "
            'remediation.mode = "verify".'
        )
    if not limits.get("canary_url"):
        wrong.append("no canary: a fault in the prober's network makes every service unhealthy")
        cures.append("Set health_probe.canary_url.")
    found = "; ".join(wrong) or f"by {', '.join(allowed)}"
    return Result(name, not wrong, found, " ".join(cures))


def api_log_role(installation: Installation) -> Result:
    """Check that API Gateway has the role with which it writes access logs.

    There is one per account and region. A stage with an access log is refused without it.
    """
    name = "AWS: API Gateway's log role"
    if not is_given(installation):
        return _skipped(name)
    cure = (
        "Apply the stack with approvals.api.manage_account = true, or set the role of this account "
        "and region in API Gateway's settings."
    )
    endpoint = installation.settings.get("AWS_ENDPOINT_URL")
    client = _session(installation).client("apigateway", endpoint_url=endpoint, config=_CONFIG)
    try:
        role = client.get_account().get("cloudwatchRoleArn")
    except (BotoCoreError, ClientError) as error:
        return Result(name, False, str(error), "See the message.")
    return Result(name, bool(role), role or "the account has none", cure)


def approvers(installation: Installation) -> list[Result]:
    """Check that each approver receives e-mails, and cannot be unsubscribed.

    A click on a link in an e-mail must not end the subscription.
    """
    name = "AWS: e-mails to approvers"
    if not is_given(installation):
        return [_skipped(name)]
    session, endpoint = _session(installation), installation.settings.get("AWS_ENDPOINT_URL")
    sns = session.client("sns", endpoint_url=endpoint, config=_CONFIG)
    try:
        topic = _environment(installation, "approval")["APPROVALS_TOPIC_ARN"]
        policy = Policy.model_validate(read_policy(installation))
        return subscriptions(sns, topic, policy.emails())
    # A value that is not a policy also raises ValueError.
    except (BotoCoreError, ClientError, KeyError, ValueError) as error:
        return [Result(name, False, str(error), _APPLY)]


def subscriptions(sns: "SNSClient", topic_arn: str, emails: list[str]) -> list[Result]:
    """Check that only signed calls can end an address's subscription."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    arns = {one["Endpoint"]: one["SubscriptionArn"] for p in pages for one in p["Subscriptions"]}
    return [
        Result(f"AWS: e-mails to {email}", not fault, fault or "confirmed, signed", cure)
        for email in emails
        for fault, cure in [_subscription_fault(sns, email, arns.get(email))]
    ]


def _subscription_fault(sns: "SNSClient", email: str, arn: str | None) -> tuple[str, str]:
    """Return what is wrong with an approver's subscription, and the fix.

    https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
    """
    topic = "module.slipway.module.approval.module.topic"
    address = f"""'{topic}.aws_sns_topic_subscription.email["{email}"]'"""
    confirm = "Ask the approver for the link in the newest e-mail of AWS: scripts/confirm '<link>'"
    again = f"terraform apply -replace={address} sends a new one."
    if arn is None:
        return "not subscribed", f"The subscription was ended, or expired. {again} {confirm}"
    # SNS shows no ARN for a subscription that is not confirmed.
    if not arn.startswith("arn:"):
        return "not confirmed", f"{confirm} If it is too old, {again}"
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    if attributes.get("ConfirmationWasAuthenticated") != "true":
        return "a click on a link in any e-mail ends it", f"{again} {confirm}"
    return "", ""


def installation_name(installation: Installation) -> str:
    """Return account, region and name prefix from the output `port_setup`.

    Empty if AWS does not show them.
    """
    if not is_given(installation):
        return ""
    function = f"{installation.name_prefix}-sweep_runs"
    try:
        answer = _lambda(installation).get_function_configuration(FunctionName=function)
    except (BotoCoreError, ClientError):
        return ""
    _, _, _, region, account, *_ = answer["FunctionArn"].split(":")
    return f"{account}/{region}/{installation.name_prefix}"


def read_policy(installation: Installation) -> dict[str, Any]:
    """Read the policy document that the functions use."""
    configured = _environment(installation, "approval")
    document = _s3(installation).get_object(
        Bucket=configured["RECORDS_BUCKET"], Key=configured["POLICY_KEY"]
    )
    policy: dict[str, Any] = json.loads(document["Body"].read())
    return policy


def reports_url(installation: Installation) -> str | None:
    """Return the address that receives reports; None if AWS hides it."""
    if not is_given(installation):
        return None
    try:
        return _environment(installation, "report_pull_request").get("REPORTS_AUDIENCE")
    except (BotoCoreError, ClientError):
        return None


def _fault(client: "SecretsManagerClient", kind: str, names: list[str]) -> str:
    for name in names:
        try:
            text = client.get_secret_value(SecretId=name).get("SecretString", "")
        except client.exceptions.ResourceNotFoundException:
            continue  # also the answer for a secret without a value
        try:
            value = json.loads(text)
        except ValueError:
            return "is not JSON"
        filled = {key for key, item in value.items() if item} if isinstance(value, dict) else set()
        if not any(wanted <= filled for wanted in _FIELDS[kind]):
            return "lacks fields"
        return _github_fault(value) if kind == "github" else ""
    return "is missing or has no value"


def _github_fault(value: dict[str, Any]) -> str:
    """Return the error that the functions would report for GitHub's secret."""
    try:
        authenticate(GitHubCredentials.model_validate(value))
    except ConfigurationError as error:
        return f"is wrong: {error}"
    return ""


def _environment(installation: Installation, name: str) -> dict[str, str]:
    """Read the environment of the version that a function's alias names."""
    client, function = _lambda(installation), f"{installation.name_prefix}-{name}"
    version = client.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
    answer = client.get_function_configuration(FunctionName=function, Qualifier=version)
    return answer.get("Environment", {}).get("Variables", {})


def _function_fault(client: "LambdaClient", name_prefix: str, name: str) -> str:
    function = f"{name_prefix}-{name}"
    try:
        alias = client.get_alias(FunctionName=function, Name=ALIAS)
    except client.exceptions.ResourceNotFoundException:
        return f"has no alias '{ALIAS}' ({function})"
    if name in _WITHOUT_TRIGGER:
        return ""
    answer = client.list_event_source_mappings(FunctionName=alias["AliasArn"])
    mappings = answer["EventSourceMappings"]
    states = [mapping.get("State", "unknown") for mapping in mappings]
    if "Enabled" in states:
        return ""
    reasons = [mapping.get("StateTransitionReason", "") for mapping in mappings]
    shown = ", ".join(f"{s} ({r})" if r else s for s, r in zip(states, reasons, strict=True))
    return f"has no enabled event source mapping: {shown or 'it has none'}"


def is_given(installation: Installation) -> bool:
    """Return whether AWS credentials are available."""
    return any(installation.settings.get(name) for name in _GIVEN)


def _skipped(name: str) -> Result:
    return Result(name, None, "no AWS credentials or endpoint in the environment")


def _session(installation: Installation) -> boto3.Session:
    settings = installation.settings
    # The sandbox accepts any credentials.
    key = settings.get("AWS_ACCESS_KEY_ID") or (
        "test" if settings.get("AWS_ENDPOINT_URL") else None
    )
    return _shared_session(
        aws_access_key_id=key,
        aws_secret_access_key=settings.get("AWS_SECRET_ACCESS_KEY") or (key and "test"),
        aws_session_token=settings.get("AWS_SESSION_TOKEN"),
        region_name=settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION"),
        profile_name=settings.get("AWS_PROFILE"),
    )


@cache
def _shared_session(**settings: Any) -> boto3.Session:
    """Return one session for all checks, because each session reads botocore's models again."""
    return boto3.Session(**settings)


_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})


def _secrets_manager(installation: Installation) -> "SecretsManagerClient":
    endpoint = installation.settings.get("AWS_ENDPOINT_URL")
    return _session(installation).client("secretsmanager", endpoint_url=endpoint, config=_CONFIG)


def _s3(installation: Installation) -> "S3Client":
    endpoint = installation.settings.get("AWS_ENDPOINT_URL")
    return _session(installation).client("s3", endpoint_url=endpoint, config=_CONFIG)


def _lambda(installation: Installation) -> "LambdaClient":
    endpoint = installation.settings.get("AWS_ENDPOINT_URL")
    return _session(installation).client("lambda", endpoint_url=endpoint, config=_CONFIG)
