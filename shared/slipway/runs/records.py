"""Store Kafka records in S3 in Lambda's form, for runs that continue later."""

import json
from contextlib import suppress
from typing import Any

from slipway import aws


def put_record(bucket: str, key: str, record: dict[str, Any], *, replace: bool) -> None:
    """Store a record.

    Args:
        bucket: the records bucket.
        key: for example `later/<run id>.json`.
        record: the record.
        replace: whether an existing record is replaced.
    """
    optional: dict[str, Any] = {} if replace else {"IfNoneMatch": "*"}
    with suppress(aws.ConditionFailed), aws.condition():
        aws.s3().put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(record).encode(),
            ContentType="application/json",
            **optional,
        )


def get_record(bucket: str, key: str) -> dict[str, Any]:
    """Read a stored record."""
    answer = aws.s3().get_object(Bucket=bucket, Key=key)
    record: dict[str, Any] = json.loads(answer["Body"].read())
    return record


def delete_record(bucket: str, key: str) -> None:
    """Remove a stored record; a missing one is fine.

    Its old versions expire.
    """
    aws.s3().delete_object(Bucket=bucket, Key=key)
