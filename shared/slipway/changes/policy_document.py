"""The approval policy's document in S3."""

import json

from pydantic import ValidationError

from slipway import aws
from slipway.changes.policy import Policy, PolicyVersion
from slipway.errors import ConfigurationError


def read_policy(bucket: str, key: str) -> PolicyVersion:
    """Read the document as it is now. It is not cached: a stricter policy counts at once.

    Raises:
        ConfigurationError: it is no policy; the text names the first fault.
    """
    answer = aws.s3().get_object(Bucket=bucket, Key=key)
    try:
        policy = Policy.model_validate(json.loads(answer["Body"].read()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        fault = f"{where}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        fault = f"it is not JSON ({type(error).__name__})"
    else:
        return PolicyVersion(policy, answer.get("VersionId", "unversioned"))
    raise ConfigurationError(
        f"The policy s3://{bucket}/{key} cannot be used ({fault}). "
        "Correct variable 'approvals' or 'github' and apply the stack again."
    )
