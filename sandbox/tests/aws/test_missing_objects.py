"""Whether S3 says that an object is not there depends on what the caller may list."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from .conftest import ACCOUNT, REGION, RunningAws


@pytest.fixture
def bucket(aws: RunningAws) -> str:
    name = aws.name("missing")
    aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    aws.client("s3").put_object(Bucket=name, Key="held/there.json", Body=b"{}")
    return name


def reader(aws: RunningAws, bucket: str, *listing: dict[str, Any]) -> Any:
    """An S3 client of a role that may read every object, and list as told."""
    name = aws.name("reader")
    role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    objects = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = {"Version": "2012-10-17", "Statement": [objects, *listing]}
    trust = {"Version": "2012-10-17", "Statement": []}
    iam = aws.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=json.dumps(policy))
    session = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{aws.port}",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


def may_list(bucket: str, prefix: str = "*") -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
        "Condition": {"StringLike": {"s3:prefix": prefix}},
    }


def code_of(operation: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        operation(**parameters)
    return str(refused.value.response["Error"]["Code"])


def test_missing_object_is_forbidden_to_who_may_not_list(aws: RunningAws, bucket: str) -> None:
    client = reader(aws, bucket)
    missing = {"Bucket": bucket, "Key": "held/gone.json"}

    assert code_of(client.get_object, **missing) == "AccessDenied"
    assert code_of(client.head_object, **missing) == "403"
    assert (
        code_of(client.copy_object, Bucket=bucket, Key="copy", CopySource=missing) == "AccessDenied"
    )
    assert client.get_object(Bucket=bucket, Key="held/there.json")["Body"].read() == b"{}"


def test_missing_object_is_not_found_by_who_may_list(aws: RunningAws, bucket: str) -> None:
    client = reader(aws, bucket, may_list(bucket))
    missing = {"Bucket": bucket, "Key": "held/gone.json"}

    assert code_of(client.get_object, **missing) == "NoSuchKey"
    assert code_of(client.head_object, **missing) == "404"
    assert code_of(client.copy_object, Bucket=bucket, Key="copy", CopySource=missing) == "NoSuchKey"


def test_requested_key_counts_as_the_listed_prefix(aws: RunningAws, bucket: str) -> None:
    client = reader(aws, bucket, may_list(bucket, "held/*"))

    assert code_of(client.get_object, Bucket=bucket, Key="held/gone.json") == "NoSuchKey"
    assert code_of(client.get_object, Bucket=bucket, Key="later/gone.json") == "AccessDenied"


def test_missing_object_is_not_found_by_root(aws: RunningAws, bucket: str) -> None:
    client = aws.client("s3")

    assert code_of(client.get_object, Bucket=bucket, Key="held/gone.json") == "NoSuchKey"
