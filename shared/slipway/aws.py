"""The clients of AWS that all functions share, each made once in a process, and conditional writes.

Making one takes longer than most of what it is made for, and a kept one keeps its connections:
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

# In seconds. By default a call that hangs is given up after a minute, half of a function's time,
# and nothing is left for its repetitions: each call here is answered within moments or not at all.
CONFIG = Config(connect_timeout=3, read_timeout=10)
# Of DynamoDB, and of S3.
_CONDITION_FAILED = {"ConditionalCheckFailedException", "PreconditionFailed"}


class ConditionFailed(Exception):
    """The condition of a write does not hold, so nothing was written.

    Args:
        item: the stored item in DynamoDB's own types, if the write asked for it.
    """

    def __init__(self, item: Mapping[str, Any] | None = None) -> None:
        super().__init__("The condition of the write does not hold.")
        self.item = item or {}


@contextmanager
def condition() -> Iterator[None]:
    """Expect that the condition of the write inside may not hold.

    Raises:
        ConditionFailed: it does not.
    """
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _CONDITION_FAILED:
            raise
        # The stubs do not know this part of DynamoDB's answer.
        item = cast("Mapping[str, Any] | None", error.response.get("Item"))
        raise ConditionFailed(item) from error


@cache
def dynamodb() -> "DynamoDBClient":
    """Return a client of DynamoDB, for Powertools, which writes items in DynamoDB's own types."""
    return boto3.client("dynamodb", config=CONFIG)


@cache
def dynamodb_table(name: str) -> "Table":
    """Return a table of DynamoDB by its name."""
    return boto3.resource("dynamodb", config=CONFIG).Table(name)


@cache
def lambda_() -> "LambdaClient":
    """Return a client of Lambda, for what answers at once: it is not for invoking."""
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
