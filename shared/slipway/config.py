"""Configuration: what Terraform puts into a function's environment, as validated models.

One small model per concern; a function composes those that it needs and reads them when it handles
its first event, never at import::

    class Config(PortConfig, GitHubConfig, LedgerConfig): ...


    config = load(Config)

`SETTINGS` of each handler is the model of everything that the function loads: Terraform gives it
those variables and no others (`scripts/settings`). Lists that grow with an installation are in the
policy document, because Lambda takes 4 KB of environment.

Secrets are never in the environment. The models hold Secrets Manager ids, and
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

# The value before a rotation counts for as long as a held run can be replayed by default
# (`sweep.held_seconds` in Terraform).
PREVIOUS_COUNTS = timedelta(hours=72)
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+.*[^/]$")]


class Config(BaseModel):
    """Base of all configuration models: immutable, and blind to other environment variables."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class PortConfig(Config):
    """Where Port is and how Slipway is known to it."""

    port_base_url: HttpUrl = Field(alias="PORT_BASE_URL")
    port_app_url: HttpUrl = Field(alias="PORT_APP_URL")
    port_secret_id: str = Field(alias="PORT_SECRET_ID", min_length=1)
    port_signature: Literal["required", "if_present"] = Field("if_present", alias="PORT_SIGNATURE")
    # What stands before the identifiers of this installation's actions in Port.
    identifier_prefix: str = Field("", alias="IDENTIFIER_PREFIX", pattern=r"^[a-z0-9_]*$")
    # Whether runs of workflow nodes are taken.
    workflows: bool = Field(False, alias="WORKFLOWS")

    def run_url(self, run_id: str) -> str:
        """Return the run's page in Port."""
        return f"{self.port_app_url}/organization/run?runId={run_id}"

    def entity_url(self, blueprint: str, identifier: str) -> str:
        """Return the entity's page in Port."""
        return f"{self.port_app_url}/{blueprint}Entity?identifier={identifier}"


class ClientConfig(PortConfig):
    """What the client of Port needs."""

    # Empty: there are no runs of workflow nodes.
    runs_table: str = Field("", alias="RUNS_TABLE")


class GitHubConfig(Config):
    """Where GitHub is, and how Slipway signs in to it."""

    github_api_url: HttpUrl = Field("https://api.github.com", alias="GITHUB_API_URL")
    github_secret_id: str = Field(alias="GITHUB_SECRET_ID", min_length=1)

    def page_of(self, name: str) -> str:
        """Return a repository's page for people, on github.com or on a GitHub Enterprise Server."""
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
    """Where the catalog is."""

    catalog_bucket: str = Field(alias="CATALOG_BUCKET", min_length=1)
    catalog_key: str = Field(alias="CATALOG_KEY", min_length=1)
    # The object's version, which a run notes when it is claimed.
    catalog_version: str = Field(alias="CATALOG_VERSION", min_length=1)


class MappingConfig(Config):
    """How the function's event source mapping is set."""

    # Only a mapping with provisioned pollers reads partial batch responses.
    partial_batch_response: bool = Field(False, alias="PARTIAL_BATCH_RESPONSE")


class PolicyDocumentConfig(Config):
    """Where the policy is."""

    records_bucket: str = Field(alias="RECORDS_BUCKET", min_length=1)
    policy_key: str = Field("policy/policy.json", alias="POLICY_KEY", min_length=1)


class PolicyConfig(PolicyDocumentConfig):
    """Where the policy is, and the state machine that waits for approvals."""

    approval_machine_arn: str = Field(alias="APPROVAL_MACHINE_ARN", min_length=1)


class ApprovalsConfig(Config):
    """What the approval function needs beside what every function has."""

    approvals_table: str = Field(alias="APPROVALS_TABLE", min_length=1)
    audit_bucket: str = Field(alias="AUDIT_BUCKET", min_length=1)
    approvals_topic_arn: str = Field(alias="APPROVALS_TOPIC_ARN", min_length=1)
    links_secret_id: str = Field(alias="LINKS_SECRET_ID", min_length=1)
    links_base_url: HttpUrl = Field(alias="LINKS_BASE_URL")
    # Empty: nobody is told by Slack.
    slack_secret_id: str = Field("", alias="SLACK_SECRET_ID")

    @property
    def own_account(self) -> str:
        """The AWS account of this installation, from the ARN of its topic."""
        return self.approvals_topic_arn.split(":")[4]


class RemediationsConfig(Config):
    """The table that admits one remediation for each service, and its state machine."""

    remediations_table: str = Field(alias="REMEDIATIONS_TABLE", min_length=1)
    remediation_machine_arn: str = Field(alias="REMEDIATION_MACHINE_ARN", min_length=1)


class SubscriptionsConfig(RemediationsConfig, MappingConfig, ClientConfig):
    """What starts on a change of an entity."""

    # Blueprints whose health Slipway looks after.
    health_blueprints: Json[tuple[str, ...]] = Field((), alias="HEALTH_BLUEPRINTS")
    # JSON, see `slipway.health.subscriptions`.
    subscriptions: str = Field("[]", alias="SUBSCRIPTIONS")


class AlertsConfig(Config):
    """Who is told of services that Slipway could not repair, and by which policy it repairs."""

    remediation_policy_key: str = Field(
        "policy/remediation.json", alias="REMEDIATION_POLICY_KEY", min_length=1
    )
    alerts_topic_arn: str = Field(alias="ALERTS_TOPIC_ARN", min_length=1)
    # Empty: nobody is told by Slack.
    slack_secret_id: str = Field("", alias="SLACK_SECRET_ID")


class PortCredentials(Config):
    """Port's client id and secret; the secret also signs messages and encrypts secret inputs."""

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
            f"The function's environment is incomplete ({faults}). "
            "Terraform sets these variables: apply the stack again."
        ) from None


def read_secret[T: Config](model: type[T], secret_id: str, *, fresh: bool = False) -> T:
    """Fetch the current version of a secret, which is cached for five minutes.

    Args:
        model: what the secret's JSON must look like.
        secret_id: the secret's ARN or name.
        fresh: ask Secrets Manager even if the value is cached (after a 401: it may have rotated).

    Raises:
        ConfigurationError: the secret cannot be read, is empty or has another shape.
    """
    try:
        text = _current_secrets().get(secret_id, force_fetch=fresh, max_age=300)
        return model.model_validate(json.loads(str(text)))
    except (GetParameterError, ValueError) as error:
        raise _unreadable(model, secret_id, error) from None


def read_previous_secret[T: Config](model: type[T], secret_id: str) -> T | None:
    """Fetch the version before the last rotation, while it still counts.

    The rotation's time is when the current version was created, by Secrets Manager's clock.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

    Returns:
        None if the secret was not rotated, or more than `PREVIOUS_COUNTS` ago.

    Raises:
        ConfigurationError: the secret cannot be read, or the version has another shape.
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
    # The text of a parse error can quote the secret, so the message names only the type.
    return ConfigurationError(
        f"Secret {secret_id} could not be read ({type(error).__name__}). "
        f"It must be a JSON object with {', '.join(model.model_fields)}."
    )
