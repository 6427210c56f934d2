"""Check AWS: credentials, existing resources, and a new App's key."""

import json
import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from scripts.installing.config import Config
from scripts.installing.stopped import Stopped

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_CLIENT = ClientConfig(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 3})
_SIGN_IN = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; test them with: aws sts "
    "get-caller-identity"
)


class Account:
    """The AWS account in one region.

    Args:
        region: None: the region of the operator's settings.
    """

    def __init__(self, region: str | None = None) -> None:
        self.session = boto3.Session(region_name=region)

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        session: Any = self.session  # The stubs accept no service by a variable.
        return session.client(service, config=_CLIENT)

    def number(self) -> str:
        """Return the account's number.

        Raises:
            Stopped: credentials are missing, or AWS refuses them.
        """
        where = f"AWS, {self.session.region_name or 'no region'}"
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise Stopped(
                f"AWS did not identify these credentials: {error}.", where, _SIGN_IN
            ) from None

    def environment(self) -> dict[str, str]:
        """Return credentials and region for a child process's environment."""
        found = self.session.get_credentials()
        if found is None:
            return {}
        frozen = found.get_frozen_credentials()
        token = {"AWS_SESSION_TOKEN": frozen.token} if frozen.token else {}
        return {
            "AWS_ACCESS_KEY_ID": frozen.access_key or "",
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key or "",
            **token,
        }


def check_account(config: Config) -> Account:
    """Check credentials, account and region.

    Raises:
        Stopped: they differ from the configuration.
    """
    check_region(config.aws.region)
    account = Account(config.aws.region)
    found = account.number()
    if found != config.aws.account:
        raise Stopped(
            f"These AWS credentials are for account {found}; the configuration names "
            f"{config.aws.account}.",
            "aws.account",
            "Use credentials of the other account, or correct the configuration.",
        )
    return account


def check_region(region: str) -> None:
    """Check that AWS has the region and the environment names no other one.

    Raises:
        Stopped: it is wrong.
    """
    session = boto3.Session(region_name="us-east-1")
    known = {
        each
        for partition in session.get_available_partitions()
        for each in session.get_available_regions("lambda", partition)
    }
    if region not in known:
        raise Stopped(
            f"AWS has no region {region}.", "aws.region", "Correct it, for example eu-west-1."
        )
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(name, region) != region:
            raise Stopped(
                f"The environment names region {os.environ[name]}; the configuration names "
                f"{region}.",
                name,
                f"Unset {name}, or correct aws.region.",
            )


def check_unused(account: Account, config: Config) -> None:
    """Check that the name is free, if Terraform's state is empty.

    Raises:
        Stopped: AWS has resources of that name.
    """
    prefix = config.name_prefix
    function, table = f"{prefix}-sweep_runs", f"{prefix}-runs"
    found = []
    try:
        if _is_there(account.client("lambda").get_function, FunctionName=function):
            found.append(f"function {function}")
        if _is_there(account.client("dynamodb").describe_table, TableName=table):
            found.append(f"table {table}")
        if _is_there(account.client("secretsmanager").describe_secret, SecretId=f"{prefix}/port"):
            found.append(f"secret {prefix}/port")
    except (BotoCoreError, ClientError) as error:
        raise Stopped(
            f"AWS refused to list existing resources: {error}.",
            f"account {config.aws.account}, {config.aws.region}",
            "Give these credentials the permissions of docs/install.md.",
        ) from None
    if found:
        raise Stopped(
            f"Another installation has {', '.join(found)}.",
            f"account {config.aws.account}, {config.aws.region}",
            "Choose another name_prefix, or run scripts/install with the folder, or the "
            "state_bucket, of that installation.",
        )


def has_log_role(account: Account) -> bool:
    """Return whether API Gateway may write logs in this account and region.

    Raises:
        Stopped: AWS refused to show it.
    """
    try:
        return bool(account.client("apigateway").get_account().get("cloudwatchRoleArn"))
    except (BotoCoreError, ClientError) as error:
        raise Stopped(
            f"API Gateway does not show its settings: {error}.",
            f"AWS, {account.session.region_name}",
            "Give these credentials apigateway:GET on /account.",
        ) from None


def read_secret(account: Account, secret_id: str) -> dict[str, str] | None:
    """Return the names of a secret's filled fields; None without a secret.

    Raises:
        Stopped: it may not be read, or is not an object.
    """
    client: SecretsManagerClient = account.client("secretsmanager")
    try:
        text = client.get_secret_value(SecretId=secret_id).get("SecretString", "")
        value = json.loads(text)
        return {str(key): str(item) for key, item in value.items() if item is not None}
    except client.exceptions.ResourceNotFoundException:
        return None
    except (BotoCoreError, ClientError) as error:
        # A secret that is being deleted has no value either.
        if _code(error) == "InvalidRequestException":
            return None
        raise Stopped(
            f"The secret cannot be read: {error}.", secret_id, "Allow these credentials to read it."
        ) from None
    except (ValueError, AttributeError):
        raise Stopped(
            "The secret is not a JSON object.", secret_id, "Correct or remove it."
        ) from None


def keep_key(account: Account, config: Config, value: dict[str, str]) -> None:
    """Keep the key of a new App until Terraform has created its secret.

    Raises:
        Stopped: AWS refused.
    """
    client: SecretsManagerClient = account.client("secretsmanager")
    name, text = key_name(config), json.dumps(value)
    try:
        try:
            client.create_secret(
                Name=name, SecretString=text, Description="Temporary key of the GitHub App"
            )
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=text)
    except (BotoCoreError, ClientError) as error:
        raise Stopped(
            f"The App's key cannot be kept: {error}.",
            name,
            "Allow secretsmanager:CreateSecret and PutSecretValue, delete the App and run the "
            "command again.",
        ) from None


def drop_key(account: Account, config: Config) -> None:
    """Remove the kept key, once Terraform's secret has the same key.

    Raises:
        Stopped: AWS refused.
    """
    client: SecretsManagerClient = account.client("secretsmanager")
    try:
        client.delete_secret(SecretId=key_name(config), ForceDeleteWithoutRecovery=True)
    except client.exceptions.ResourceNotFoundException:
        return
    except (BotoCoreError, ClientError) as error:
        raise Stopped(
            f"The kept key cannot be removed: {error}.", key_name(config), "Delete that secret."
        ) from None


def key_name(config: Config) -> str:
    """Return the name of the secret that keeps a new App's key."""
    return f"{config.name_prefix}/install-github"


def _is_there(ask: Any, **arguments: str) -> bool:
    try:
        ask(**arguments)
    except ClientError as error:
        if _code(error) == "ResourceNotFoundException":
            return False
        raise
    return True


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
