"""Define the configuration from a function's environment, validated.

One small model per concern. A function composes those that it needs and reads them when it handles
its first event, never at import::

    class Config(PortConfig, GitHubConfig, LedgerConfig): ...

    config = load(Config)

`SETTINGS` of each handler is the model of everything that the function loads: Terraform gives it
those variables and no others (`scripts/settings`). Lists that grow with an installation are in the
policy document, because Lambda allows 4 KB of environment.

Secrets are never in the environment. The models have Secrets Manager ids, and
`read_secret` fetches the value.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Literal

from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    SecretStr,
    StringConstraints,
    ValidationError,
)

from slipway import aws
from slipway.errors import ConfigurationError

# The value before a rotation is accepted for as long as a run on hold can be replayed by default
# (`sweep.held_seconds` in Terraform).
PREVIOUS_COUNTS = timedelta(hours=72)
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+.*[^/]$")]


class Config(BaseModel):
    """Base of all configuration models: immutable, ignores other variables."""

    # Only what a function loads is built, of all that it is composed of.
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)


class PortConfig(Config):
    """Port's address, and Slipway's identity there."""

    port_base_url: HttpUrl = Field(alias="PORT_BASE_URL")
    port_app_url: HttpUrl = Field(alias="PORT_APP_URL")
    port_secret_id: str = Field(alias="PORT_SECRET_ID", min_length=1)
    port_signature: Literal["required", "if_present"] = Field("if_present", alias="PORT_SIGNATURE")
    # Prefix of this installation's action identifiers in Port.
    identifier_prefix: str = Field("", alias="IDENTIFIER_PREFIX", pattern=r"^[a-z0-9_]*$")
    # Whether to process runs of workflow nodes.
    workflows: bool = Field(False, alias="WORKFLOWS")

    def run_url(self, run_id: str) -> str:
        """Return the run's page in Port."""
        return f"{self.port_app_url}/organization/run?runId={run_id}"

    def entity_url(self, blueprint: str, identifier: str) -> str:
        """Return the entity's page in Port."""
        return f"{self.port_app_url}/{blueprint}Entity?identifier={identifier}"


class ClientConfig(PortConfig):
    """Settings of the client of Port."""

    # Empty: no runs of workflow nodes.
    runs_table: str = Field("", alias="RUNS_TABLE")


class GitHubConfig(Config):
    """GitHub's address, and how Slipway signs in to it."""

    github_api_url: HttpUrl = Field("https://api.github.com", alias="GITHUB_API_URL")
    github_secret_id: str = Field(alias="GITHUB_SECRET_ID", min_length=1)

    def page_of(self, name: str) -> str:
        """Return a repository's page for people.

        On github.com or on a GitHub Enterprise Server.
        """
        web = self.github_api_url.removesuffix("/api/v3").replace("://api.", "://")
        return f"{web}/{name}"


class LedgerConfig(Config):
    """The tables and the state machine that make a run survive any crash."""

    runs_table: str = Field(alias="RUNS_TABLE", min_length=1)
    locks_table: str = Field(alias="LOCKS_TABLE", min_length=1)
    idempotency_table: str = Field(alias="IDEMPOTENCY_TABLE", min_length=1)
    deliver_later_arn: str = Field(alias="DELIVER_LATER_ARN", min_length=1)
    records_bucket: str = Field(alias="RECORDS_BUCKET", min_length=1)


class CatalogConfig(Config):
    """Location of the catalog."""

    catalog_bucket: str = Field(alias="CATALOG_BUCKET", min_length=1)
    catalog_key: str = Field(alias="CATALOG_KEY", min_length=1)
    # The object's version, which a run records when it is claimed.
    catalog_version: str = Field(alias="CATALOG_VERSION", min_length=1)


class MappingConfig(Config):
    """Settings of the function's event source mapping."""

    # Only a mapping with provisioned pollers reads partial batch responses.
    partial_batch_response: bool = Field(False, alias="PARTIAL_BATCH_RESPONSE")


class PolicyDocumentConfig(Config):
    """Location of the policy."""

    records_bucket: str = Field(alias="RECORDS_BUCKET", min_length=1)
    policy_key: str = Field("policy/policy.json", alias="POLICY_KEY", min_length=1)


class PolicyConfig(PolicyDocumentConfig):
    """Location of the policy, and the state machine that waits for approvals."""

    approval_machine_arn: str = Field(alias="APPROVAL_MACHINE_ARN", min_length=1)


class ApprovalsConfig(Config):
    """Additional settings of the approval function."""

    approvals_table: str = Field(alias="APPROVALS_TABLE", min_length=1)
    audit_bucket: str = Field(alias="AUDIT_BUCKET", min_length=1)
    approvals_topic_arn: str = Field(alias="APPROVALS_TOPIC_ARN", min_length=1)
    links_secret_id: str = Field(alias="LINKS_SECRET_ID", min_length=1)
    links_base_url: HttpUrl = Field(alias="LINKS_BASE_URL")
    # Empty: no notifications by Slack.
    slack_secret_id: str = Field("", alias="SLACK_SECRET_ID")

    @property
    def own_account(self) -> str:
        """The AWS account of this installation, from the ARN of its topic."""
        return self.approvals_topic_arn.split(":")[4]


class RemediationsConfig(Config):
    """The table that allows one remediation per service, and the machine."""

    remediations_table: str = Field(alias="REMEDIATIONS_TABLE", min_length=1)
    remediation_machine_arn: str = Field(alias="REMEDIATION_MACHINE_ARN", min_length=1)


class SubscriptionsConfig(RemediationsConfig, MappingConfig, ClientConfig):
    """Settings of the subscriptions to changes of entities."""

    # Blueprints whose health Slipway checks.
    health_blueprints: Json[tuple[str, ...]] = Field((), alias="HEALTH_BLUEPRINTS")
    records_bucket: str = Field(alias="RECORDS_BUCKET", min_length=1)
    # JSON, see `slipway.health.subscriptions`.
    subscriptions: str = Field("[]", alias="SUBSCRIPTIONS")


class AlertsConfig(Config):
    """Recipients of alerts about unhealthy services, and the repair policy."""

    remediation_policy_key: str = Field(
        "policy/remediation.json", alias="REMEDIATION_POLICY_KEY", min_length=1
    )
    alerts_topic_arn: str = Field(alias="ALERTS_TOPIC_ARN", min_length=1)
    # Empty: no notifications by Slack.
    slack_secret_id: str = Field("", alias="SLACK_SECRET_ID")


class PortCredentials(Config):
    """Port's client id and secret.

    The secret also signs messages and encrypts secret inputs.
    """

    client_id: str
    client_secret: SecretStr


class GitHubCredentials(Config):
    """An App installation or a `token`.

    An installation has `app_id`, `installation_id` and `private_key`. `slipway.github.sign_in`
    checks the values, and names the one that is wrong.
    """

    app_id: int | str | None = None
    installation_id: int | str | None = None
    private_key: SecretStr | None = None
    token: SecretStr | None = None


class LinkKey(Config):
    """The key that signs approval links."""

    key: SecretStr


class SlackWebhook(Config):
    """An incoming webhook of Slack.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """

    webhook_url: SecretStr


@cache
def _current_secrets() -> parameters.SecretsProvider:
    return parameters.SecretsProvider(boto3_client=aws.secretsmanager())


@cache
def load[T: Config](model: type[T]) -> T:
    """Read a configuration model from the environment, once per process.

    Raises:
        ConfigurationError: a variable is missing or wrong; the text names all of them.
    """
    try:
        return model.model_validate(dict(os.environ))
    except ValidationError as error:
        faults = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_input=False))
        raise ConfigurationError(
            f"The function's environment is incomplete ({faults}). Apply the Terraform stack "
            "again, which sets these variables."
        ) from None


def read_secret[T: Config](model: type[T], secret_id: str, *, fresh: bool = False) -> T:
    """Fetch the current version of a secret, which is cached for five minutes.

    Args:
        model: the model of the secret's JSON.
        secret_id: the secret's ARN or name.
        fresh: ask Secrets Manager even if the value is cached (after a 401: it may have rotated).

    Raises:
        ConfigurationError: the secret cannot be read, is empty or has another form.
    """
    try:
        text = _current_secrets().get(secret_id, force_fetch=fresh, max_age=300)
        return model.model_validate(json.loads(str(text)))
    except (GetParameterError, ValueError) as error:
        raise _unreadable(model, secret_id, error) from None


def read_previous_secret[T: Config](model: type[T], secret_id: str) -> T | None:
    """Fetch the version before the last rotation, while it is accepted.

    The rotation's time is when the current version was created, by Secrets Manager's clock.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

    Returns:
        None if the secret was not rotated, or more than `PREVIOUS_COUNTS` ago.

    Raises:
        ConfigurationError: the secret cannot be read, or the version has another form.
    """
    client = aws.secretsmanager()
    try:
        rotated_at = client.get_secret_value(SecretId=secret_id)["CreatedDate"]
        if datetime.now(UTC) - rotated_at > PREVIOUS_COUNTS:
            return None
        found = client.get_secret_value(SecretId=secret_id, VersionStage="AWSPREVIOUS")
        return model.model_validate(json.loads(found.get("SecretString", "")))
    except client.exceptions.ResourceNotFoundException:
        return None
    except (BotoCoreError, ClientError, ValueError) as error:
        raise _unreadable(model, secret_id, error) from None


def _unreadable(model: type[Config], secret_id: str, error: Exception) -> ConfigurationError:
    # A parse error can quote the secret, so the message names only the type.
    return ConfigurationError(
        f"Secret {secret_id} could not be read ({type(error).__name__}). "
        f"It must be a JSON object with {', '.join(model.model_fields)}."
    )
