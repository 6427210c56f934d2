"""S3's Object Lock and conditional writes, as records of decisions need them; random passwords."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import REGION, RunningAws


def put_locked_bucket(aws: RunningAws) -> str:
    client, name = aws.client("s3"), aws.name("audit")
    client.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=True,
    )
    client.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}},
        },
    )
    return name


@pytest.fixture
def bucket(aws: RunningAws) -> str:
    return put_locked_bucket(aws)


def error_of(call: Any, **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_record_is_written_once(aws: RunningAws, bucket: str) -> None:
    client = aws.client("s3")
    record = {"Bucket": bucket, "Key": "decisions/r_1.1/a.json", "IfNoneMatch": "*"}
    client.put_object(**record, Body=b"first")

    assert error_of(client.put_object, **record, Body=b"second") == (412, "PreconditionFailed")

    assert client.get_object(Bucket=bucket, Key=record["Key"])["Body"].read() == b"first"


def test_object_is_kept_by_the_buckets_default(aws: RunningAws, bucket: str) -> None:
    client = aws.client("s3")
    version = client.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]

    retention = client.get_object_retention(Bucket=bucket, Key="k")["Retention"]

    assert retention["Mode"] == "GOVERNANCE"
    assert error_of(client.delete_object, Bucket=bucket, Key="k", VersionId=version) == (
        403,
        "AccessDenied",
    )
    # Without a version only a marker is put over it; the version stays.
    client.delete_object(Bucket=bucket, Key="k")
    assert client.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"x"


def test_bucket_can_be_emptied_with_a_bypass(aws: RunningAws, bucket: str) -> None:
    client = aws.client("s3")
    client.put_object(Bucket=bucket, Key="k", Body=b"1")
    client.put_object(Bucket=bucket, Key="k", Body=b"2")
    client.delete_object(Bucket=bucket, Key="k")

    # What Terraform does for `force_destroy`.
    listed = client.list_object_versions(Bucket=bucket)
    found = [*listed["Versions"], *listed["DeleteMarkers"]]
    objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
    refused = client.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Errors"]
    assert {error["Code"] for error in refused} == {"AccessDenied"}
    client.delete_objects(
        Bucket=bucket, Delete={"Objects": objects}, BypassGovernanceRetention=True
    )

    assert "Versions" not in client.list_object_versions(Bucket=bucket)
    client.delete_bucket(Bucket=bucket)


def test_object_is_copied(aws: RunningAws, bucket: str) -> None:
    client = aws.client("s3")
    client.put_object(Bucket=bucket, Key="from", Body=b"x")

    client.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})

    assert client.get_object(Bucket=bucket, Key="to")["Body"].read() == b"x"


def test_random_password_has_the_asked_shape(aws: RunningAws) -> None:
    client = aws.client("secretsmanager")
    asked = {"PasswordLength": 64, "ExcludePunctuation": True}

    passwords = {client.get_random_password(**asked)["RandomPassword"] for _ in range(2)}

    assert len(passwords) == 2
    assert all(len(password) == 64 and password.isalnum() for password in passwords)
