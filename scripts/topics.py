"""Create Port's topics in an MSK cluster, and the readers' ACLs.

Neither is a resource of Terraform's AWS provider. The command signs in by IAM, so the caller needs
`kafka-cluster:*Topic*` and `AlterCluster` on the cluster, and must reach its brokers. Existing
topics stay unchanged.
"""

import os
import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from aws_msk_iam_sasl_signer import (  # type: ignore[import-untyped]  # it has no types
    MSKAuthTokenProvider,
)
from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it re-exports them silently
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from rich.console import Console
from slipway.errors import ConfigurationError

from scripts.cli import start
from scripts.environment import read_settings

TIMEOUT_SECONDS = 30
DEFAULT_REPLICATION = -1  # the cluster's default
_READ = (AclOperation.READ, AclOperation.DESCRIBE)


def topic_names(org_id: str, *, change_log: bool = False) -> list[str]:
    """Return an organisation's topics, optionally with the withdrawn one."""
    return [f"{org_id}.runs", *([f"{org_id}.change.log"] if change_log else [])]


def access_list(org_id: str, username: str, topics: list[str]) -> list[AclBinding]:
    """Return the ACLs of a reader: the topics, and its consumer groups.

    Names of its groups begin with the organisation's id.
    """
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    resources = [(ResourceType.TOPIC, name, literal) for name in topics]
    resources.append((ResourceType.GROUP, f"{org_id}.", prefixed))
    return [
        AclBinding(*resource, f"User:{username}", "*", operation, AclPermissionType.ALLOW)
        for resource in resources
        for operation in _READ
    ]


def make_topics(
    admin: AdminClient, topics: list[str], partitions: int, say: Callable[[str], None]
) -> None:
    """Create each topic that does not exist.

    Raises:
        KafkaException: the cluster refuses, or does not answer.
    """
    wanted = [NewTopic(name, partitions, DEFAULT_REPLICATION) for name in topics]
    made = admin.create_topics(wanted, request_timeout=TIMEOUT_SECONDS)
    for name, future in made.items():
        try:
            _wait(future)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            say(f"{name} exists already")
        else:
            say(f"{name} was created, partitions: {partitions}")


def make_access_list(
    admin: AdminClient, org_id: str, username: str, topics: list[str], say: Callable[[str], None]
) -> None:
    """Let a SCRAM user read the topics. Safe to repeat.

    Raises:
        KafkaException: the cluster refuses, or does not answer.
    """
    made = admin.create_acls(access_list(org_id, username, topics), request_timeout=TIMEOUT_SECONDS)
    for future in made.values():
        _wait(future)
    say(f"{username} may read {' and '.join(topics)}, in groups whose names begin with {org_id}.")


def _wait(future: Future[None]) -> None:
    future.result(timeout=TIMEOUT_SECONDS)


def brokers(cluster_arn: str) -> str:
    """Return the brokers' addresses for IAM.

    Raises:
        ConfigurationError: the cluster does not exist, or does not accept IAM.
    """
    try:
        answer = boto3.client("kafka").get_bootstrap_brokers(ClusterArn=cluster_arn)
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"{cluster_arn}: {error}") from error
    servers = answer.get("BootstrapBrokerStringSaslIam")
    if not servers:
        raise ConfigurationError(
            f"{cluster_arn} has no brokers for IAM: enable IAM on the cluster first."
        )
    return servers


def connect(servers: str, region: str, *, plaintext: bool) -> AdminClient:
    """Return a client that signs in by IAM, or, on this machine, not at all."""
    if plaintext:
        return AdminClient({"bootstrap.servers": servers})
    admin = AdminClient(iam_settings(servers, region))
    admin.poll(TIMEOUT_SECONDS)  # the callback runs here
    return admin


def iam_settings(servers: str, region: str) -> dict[str, Any]:
    """Return a client's settings to sign in to MSK by IAM."""

    def token(_config: str) -> tuple[str, float]:
        value, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
        return value, expires_ms / 1000

    return {
        "bootstrap.servers": servers,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "oauth_cb": token,
    }


def main(
    cluster_arn: Annotated[str, typer.Option(help="ARN of the MSK cluster (output `kafka`).")],
    org_id: Annotated[str, typer.Option(help="Id of the Port organisation.")],
    username: Annotated[
        str | None, typer.Option(help="SCRAM user of the functions. Default: they use IAM.")
    ] = None,
    change_log: Annotated[
        bool,
        typer.Option("--change-log", help="Also create the topic of changes.source = change_log."),
    ] = False,
    partitions: Annotated[int, typer.Option(min=1, help="Of each created topic.")] = 1,
    plaintext: Annotated[
        bool,
        typer.Option("--plaintext", help="For the sandbox's broker, which does not support TLS."),
    ] = False,
    env_file: Annotated[
        Path | None, typer.Option(help="Environment file (KEY=value), for example .sandbox/env.")
    ] = None,
) -> None:
    """Create Port's topics in MSK, and let a SCRAM user read them."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        if username and plaintext:
            raise ConfigurationError("A broker without TLS has no users: leave --username out.")
        os.environ.update(read_settings(env_file))
        region = re.fullmatch(r"arn:[\w-]+:kafka:([a-z0-9-]+):\d{12}:cluster/.+", cluster_arn)
        if region is None:
            raise ConfigurationError(f"{cluster_arn} is not the ARN of an MSK cluster.")
        os.environ["AWS_DEFAULT_REGION"] = region[1]
        admin = connect(brokers(cluster_arn), region[1], plaintext=plaintext)
        topics = topic_names(org_id, change_log=change_log)
        make_topics(admin, topics, partitions, console.print)
        if username:
            make_access_list(admin, org_id, username, topics, console.print)
    except (ConfigurationError, KafkaException, TimeoutError) as error:
        told = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        Console(stderr=True, soft_wrap=True).print(f"[red]topics:[/red] {told}")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "--cluster-arn arn:aws:kafka:… --org-id org_1")
