"""The approval policy's document in S3."""

import json

from pydantic import ValidationError

from slipway import aws
from slipway.changes.policy import Policy, PolicyVersion
from slipway.errors import ConfigurationError


def read_policy(bucket: str, key: str) -> PolicyVersion:
    """Read the current document, without a cache.

    A stricter policy applies at once.

    Raises:
        ConfigurationError: it is not a policy; the text names the first fault.
    """
    answer = aws.s3().get_object(Bucket=bucket, Key=key)
    try:
        document = json.loads(answer["Body"].read())
    except (ValueError, RecursionError) as error:
        raise _unusable(
            f"s3://{bucket}/{key}", f"it is not JSON ({type(error).__name__})"
        ) from None
    policy = parse_policy(document, f"s3://{bucket}/{key}")
    return PolicyVersion(policy, answer.get("VersionId", "unversioned"))


def parse_policy(document: object, place: str = "of this apply") -> Policy:
    """Read the document's content.

    Args:
        document: the JSON.
        place: where it is, for the error.

    Raises:
        ConfigurationError: it is not a policy; the text names the first fault.
    """
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise _unusable(place, f"{where}: {first['msg']}") from None
    except RecursionError:
        raise _unusable(place, "it is nested too deeply") from None


def _unusable(place: str, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"The policy {place} is not valid ({fault}). Correct variable 'approvals' or 'github' and "
        "apply the stack again."
    )
