"""The clients of AWS that all functions share, each made once in a process, when first needed.

Making one takes longer than most of what it is made for, and a kept one keeps its connections:
https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

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


@cache
def dynamodb() -> "DynamoDBClient":
    """A client of DynamoDB, for Powertools, which writes items in DynamoDB's own types."""
    return boto3.client("dynamodb", config=CONFIG)


@cache
def dynamodb_table(name: str) -> "Table":
    """A table of DynamoDB by its name."""
    return boto3.resource("dynamodb", config=CONFIG).Table(name)


@cache
def lambda_() -> "LambdaClient":
    """A client of Lambda, for what answers at once: it invokes nothing that it would wait for."""
    return boto3.client("lambda", config=CONFIG)


@cache
def s3() -> "S3Client":
    """A client of S3."""
    return boto3.client("s3", config=CONFIG)


@cache
def secretsmanager() -> "SecretsManagerClient":
    """A client of Secrets Manager."""
    return boto3.client("secretsmanager", config=CONFIG)


@cache
def sns() -> "SNSClient":
    """A client of SNS."""
    return boto3.client("sns", config=CONFIG)


@cache
def stepfunctions() -> "SFNClient":
    """A client of Step Functions."""
    return boto3.client("stepfunctions", config=CONFIG)


@cache
def sqs() -> Any:
    """A client of SQS."""
    return boto3.client("sqs", config=CONFIG)
