"""Share AWS clients in a process, and write conditionally.

Creating a client takes longer than most calls, and a kept one keeps its connections:
https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

# Seconds. By default a hanging call fails after a minute, half of a function's time, which leaves
# no time for retries. Each call here answers within moments or not at all.
CONFIG = Config(connect_timeout=3, read_timeout=10)
# Error codes of DynamoDB and of S3.
_CONDITION_FAILED = {"ConditionalCheckFailedException", "PreconditionFailed"}


class ConditionFailed(Exception):
    """The condition of a write did not match, so nothing was written.

    Args:
        item: the stored item in DynamoDB's own types, if the write asked for it.
    """

    def __init__(self, item: Mapping[str, Any] | None = None) -> None:
        super().__init__("The condition of the write did not match.")
        self.item = item or {}


@contextmanager
def condition() -> Iterator[None]:
    """Convert the failure of a write's condition to `ConditionFailed`.

    Raises:
        ConditionFailed: the condition did not match.
    """
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _CONDITION_FAILED:
            raise
        # The stubs lack this part of DynamoDB's answer.
        item = cast("Mapping[str, Any] | None", error.response.get("Item"))
        raise ConditionFailed(item) from error


@cache
def dynamodb() -> "DynamoDBClient":
    """Return a DynamoDB client, for Powertools, which writes raw types."""
    return boto3.client("dynamodb", config=CONFIG)


@cache
def dynamodb_table(name: str) -> "Table":
    """Return a table of DynamoDB by its name."""
    return boto3.resource("dynamodb", config=CONFIG).Table(name)


@cache
def lambda_() -> "LambdaClient":
    """Return a Lambda client for calls that answer at once, not for synchronous invocations."""
    return boto3.client("lambda", config=CONFIG)


@cache
def s3() -> "S3Client":
    """Return a client of S3."""
    return boto3.client("s3", config=CONFIG)


@cache
def secretsmanager() -> "SecretsManagerClient":
    """Return a client of Secrets Manager."""
    return boto3.client("secretsmanager", config=CONFIG)


@cache
def sns() -> "SNSClient":
    """Return a client of SNS."""
    return boto3.client("sns", config=CONFIG)


@cache
def stepfunctions() -> "SFNClient":
    """Return a client of Step Functions."""
    return boto3.client("stepfunctions", config=CONFIG)


@cache
def sqs() -> Any:
    """A client of SQS."""
    return boto3.client("sqs", config=CONFIG)
