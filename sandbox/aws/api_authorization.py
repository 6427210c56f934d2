"""AWS_IAM authorization of API Gateway's REST APIs, which LocalStack leaves out.

A request of a method with `authorizationType: AWS_IAM` must be signed (Signature Version 4, in the
Authorization header) by a caller who may `execute-api:Invoke` it. The function then finds them in
`requestContext.identity`. Resource policies of APIs and signatures in the query are not known here.

https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from localstack.http import Response
from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.services.apigateway.next_gen.execute_api.api import RestApiGatewayHandlerChain
from localstack.services.apigateway.next_gen.execute_api.context import RestApiInvocationContext
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    AccessDeniedError,
    ExpiredTokenError,
    InvalidSignatureError,
    MissingAuthTokenError,
)
from localstack.services.apigateway.next_gen.execute_api.handlers import parse

from sandbox.aws.identities import Identity, identity_of
from tests.tools import iam
from tests.tools.iam.actions import Access

SERVICE = "execute-api"
ALGORITHM = "AWS4-HMAC-SHA256"

# How far a signature's time may be from now.
MAX_SKEW = timedelta(minutes=5)
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"

_MEMBERS = ("Credential", "SignedHeaders", "Signature")


class UnrecognizedClientError(InvalidSignatureError):  # type: ignore[misc]  # untyped base
    """The access key is unknown, or the session token belongs to another key."""

    code = "UnrecognizedClientException"


class IncompleteSignatureError(InvalidSignatureError):  # type: ignore[misc]  # untyped base
    """The Authorization header is not one of Signature Version 4."""

    code = "IncompleteSignatureException"


@dataclass(frozen=True)
class Signed:
    """A request as its signature sees it.

    Attributes:
        method: Of HTTP, in capitals.
        url: As the client has it, with host and query, still encoded.
        headers: As they arrived, with names in any case.
        body: As it arrived.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def authorize(
    _chain: RestApiGatewayHandlerChain, context: RestApiInvocationContext, _response: Response
) -> None:
    """A handler of API Gateway's chain, after the resource is known.

    Raises:
        BaseGatewayException: The request is answered with it: 403 in each case.
        PolicyError: A policy of the caller has something that `tests.tools.iam` does not know.
    """
    if context.resource_method.get("authorizationType") != "AWS_IAM":
        return
    request = context.request
    # The path as it was sent; the parsed one is decoded.
    uri = request.environ.get("RAW_URI") or request.full_path
    signed = Signed(
        method=request.method,
        url=f"http://{request.headers.get('Host', '')}{uri}",
        headers=request.headers,
        body=context.invocation_request["body"] or b"",
    )
    access_key_id, identity = authenticate(signed, context.region, datetime.now(UTC))
    resource = (
        f"arn:aws:execute-api:{context.region}:{context.account_id}:{context.api_id}"
        f"/{context.stage}/{request.method}{context.invocation_request['path']}"
    )
    _require_permission(identity, resource, context.region)
    context.context_variables["identity"].update(
        accessKey=access_key_id,
        accountId=identity.account,
        caller=identity.id,
        user=identity.id,
        userArn=identity.arn,
    )


def authenticate(request: Signed, region: str, now: datetime) -> tuple[str, Identity]:
    """Return who signed a request.

    Returns:
        Their access key id, and who they are.

    Raises:
        BaseGatewayException: The signature is missing or wrong.
    """
    authorization = request.headers.get("Authorization")
    if not authorization:
        raise MissingAuthTokenError("Missing Authentication Token")
    members = _members(authorization)
    time = request.headers.get("X-Amz-Date")
    if time is None:
        raise IncompleteSignatureError(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            f"Authorization={authorization.split()[0]}"
        )
    access_key_id, *scope = members["Credential"].split("/")
    _require_scope(scope, region, time)

    identity = identity_of(access_key_id)
    if identity is None or identity.session_token != request.headers.get("X-Amz-Security-Token"):
        raise UnrecognizedClientError("The security token included in the request is invalid.")
    if identity.expires and identity.expires.replace(tzinfo=UTC) < now:
        raise ExpiredTokenError("The security token included in the request is expired")
    _require_time(time, now)
    credentials = Credentials(access_key_id, identity.secret_access_key)
    expected = signature(request, credentials, region, members["SignedHeaders"].split(";"), time)
    if not hmac.compare_digest(expected, members["Signature"]):
        raise InvalidSignatureError(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service "
            "documentation for details."
        )
    return access_key_id, identity


def signature(
    request: Signed, credentials: Credentials, region: str, signed_headers: list[str], time: str
) -> str:
    """Return the signature that a request should have, in hexadecimal digits.

    Args:
        request: As it arrived.
        credentials: Of the one who says to have signed it.
        region: Of the credential's scope.
        signed_headers: The names of the headers that were signed, in small letters.
        time: The value of X-Amz-Date.
    """
    # The body is what counts, not what a header says of it.
    digest = {"x-amz-content-sha256": hashlib.sha256(request.body).hexdigest()}
    headers = {name: digest.get(name, request.headers.get(name) or "") for name in signed_headers}
    signer = _Signer(credentials, SERVICE, region)
    aws_request = AWSRequest(request.method, request.url, headers=headers, data=request.body)
    aws_request.context["timestamp"] = time
    text = signer.string_to_sign(aws_request, signer.canonical_request(aws_request))
    return str(signer.signature(text, aws_request))


class _Signer(SigV4Auth):  # type: ignore[misc]  # untyped base
    def headers_to_sign(self, request: Any) -> Any:
        """Return all that the client named: botocore itself would leave some out."""
        return request.headers


def _members(authorization: str) -> dict[str, str]:
    """`Credential`, `SignedHeaders` and `Signature` of an Authorization header."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignatureError(
            f"'{rest or algorithm}' not a valid key=value pair (missing equal-sign) in "
            f"Authorization header: '{authorization}'."
        )
    members = dict(re.findall(r"(\w+)=([^,\s]+)", rest))
    if missing := [name for name in _MEMBERS if name not in members]:
        needs = " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        raise IncompleteSignatureError(f"{needs} Authorization={authorization}")
    return members


def _require_scope(scope: list[str], region: str, time: str) -> None:
    if len(scope) != 4 or scope[3] != "aws4_request":
        raise IncompleteSignatureError("Credential must have exactly 5 slash-delimited elements")
    day, its_region, service, _ = scope
    if its_region != region:
        raise InvalidSignatureError(
            f"Credential should be scoped to a valid region, not '{its_region}'. "
        )
    if service != SERVICE:
        raise InvalidSignatureError(
            f"Credential should be scoped to correct service: '{SERVICE}'. "
        )
    if not time.startswith(day):
        raise InvalidSignatureError(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{day}' != '{time[:8]}', from '{time}'."
        )


def _require_time(time: str, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(time, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise IncompleteSignatureError(
            f"Date must be in ISO-8601 'basic format'. Got '{time}'."
        ) from None
    if abs(now - signed_at) > MAX_SKEW:
        is_old = signed_at < now
        limit = now - MAX_SKEW if is_old else now + MAX_SKEW
        raise InvalidSignatureError(
            f"Signature {'expired' if is_old else 'not yet current'}: {time} is "
            f"{'now earlier' if is_old else 'still later'} than {limit.strftime(_TIME_FORMAT)} "
            f"({now.strftime(_TIME_FORMAT)} {'-' if is_old else '+'} 5 min.)"
        )


def _require_permission(identity: Identity, resource: str, region: str) -> None:
    if identity.policies is None:
        return
    access = Access(
        action=f"{SERVICE}:Invoke",
        resource=resource,
        context={
            "aws:PrincipalAccount": identity.account,
            "aws:PrincipalArn": identity.principal_arn,
            "aws:RequestedRegion": region,
            "aws:ResourceAccount": identity.account,
        },
    )
    if reason := iam.refusal(access, identity.policies):
        explicit = " with an explicit deny" if reason == "denied" else ""
        raise AccessDeniedError(
            f"User: {identity.arn} is not authorized to perform: {SERVICE}:Invoke on resource: "
            f"{resource}{explicit}"
        )


def install() -> None:
    """Put the check in front of every REST API's integrations."""
    handlers.preprocess_request.append(authorize)
    # LocalStack reads a form and writes it again: not always what was sent, and signed.
    parse.restore_payload = lambda request: request.get_data(parse_form_data=False)
