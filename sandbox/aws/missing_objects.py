"""Answer requests for missing objects as S3 does.

S3 answers 404 only to callers that may list the bucket, and 403 to all others. LocalStack answers
404 to every caller. See https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.

The requested key counts as `s3:prefix`, as in a listing: https://github.com/ceph/ceph/pull/68577.

Bucket policies are ignored, because those of the stack allow nothing.
"""

from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.s3 import AccessDenied, NoSuchKey
from localstack.services.s3.provider import S3Provider
from localstack.services.s3.utils import extract_bucket_key_version_id_from_copy_source
from localstack.utils.aws.request_context import extract_access_key_id_from_auth_header
from localstack.utils.patch import patch

from sandbox.aws.identities import identity_of
from tests.tools import iam
from tests.tools.iam.actions import Access


def _read(
    original: Callable[..., Any],
    provider: S3Provider,
    context: RequestContext,
    request: dict[str, Any],
    **kwargs: object,
) -> Any:
    """Call an operation that reads an object.

    Raises:
        AccessDenied: the object does not exist, and the caller may not list the bucket.
        PolicyError: a policy of the caller has something that `tests.tools.iam` does not know.
    """
    try:
        return original(provider, context, request, **kwargs)
    except NoSuchKey:
        bucket, key = request["Bucket"], request["Key"]
        if "CopySource" in request:
            bucket, key, _ = extract_bucket_key_version_id_from_copy_source(request["CopySource"])
        if _may_list(context, bucket, key):
            raise
        raise AccessDenied("Access Denied") from None


def _may_list(context: RequestContext, bucket: str, key: str) -> bool:
    identity = identity_of(extract_access_key_id_from_auth_header(context.request.headers) or "")
    # LocalStack's own calls do not belong to an IAM principal.
    if identity is None or identity.policies is None:
        return True
    wanted = Access(
        action="s3:ListBucket",
        resource=f"arn:aws:s3:::{bucket}",
        context={
            "aws:PrincipalAccount": identity.account,
            "aws:PrincipalArn": identity.principal_arn,
            "aws:RequestedRegion": context.region,
            "s3:prefix": key,
        },
    )
    return iam.refusal(wanted, identity.policies) is None


def install() -> None:
    """Judge every operation that reads one object."""
    for operation in (
        S3Provider.copy_object,
        S3Provider.get_object,
        S3Provider.get_object_attributes,
        S3Provider.head_object,
    ):
        patch(operation)(_read)
