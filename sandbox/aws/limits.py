"""Refuse by name what the process runtime cannot run, and what AWS refuses and LocalStack takes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.chain import HandlerChain
from localstack.http import Response

from sandbox.aws.settings import host_architecture

RUNTIME = "python3.13"

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_VARIABLES = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
MAX_OBJECT_TAGS = 10


def tags_refusal(request: Mapping[str, Any]) -> str | None:
    """Return why S3 refuses the tags of an object, or None.

    Args:
        request: The parameters of PutObject (tags as a query) or PutObjectTagging (as a set).
    """
    tagging = request.get("Tagging") or ""
    tags = parse_qsl(tagging, True) if isinstance(tagging, str) else tagging["TagSet"]
    if len(tags) > MAX_OBJECT_TAGS:
        return f"Object tags cannot be greater than {MAX_OBJECT_TAGS}"
    return None


def refusal(operation: str, request: Mapping[str, Any], architecture: str) -> str | None:
    """Why a Lambda request cannot be served here, or None.

    Args:
        operation: Lambda's name of the operation.
        request: Its parameters.
        architecture: The host's, in Lambda's terms.
    """
    if operation not in {
        "CreateFunction",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    }:
        return None
    creates = operation == "CreateFunction"
    if request.get("PackageType") == "Image" or request.get("ImageUri"):
        return "The sandbox runs functions as processes: package type Image needs containers."
    runtime = request.get("Runtime")
    if (runtime or creates) and runtime != RUNTIME:
        return f"The sandbox runs functions with runtime {RUNTIME}, not {runtime}."
    own = (request.get("Environment") or {}).get("Variables") or {}
    if reserved := sorted(RESERVED_VARIABLES & set(own)):
        return (
            "Lambda was unable to configure your environment variables because they contain "
            f"reserved keys: {', '.join(reserved)}."
        )
    # Lambda's default, when a function is created without an architecture.
    wanted = request.get("Architectures") or (["x86_64"] if creates else [architecture])
    if wanted != [architecture]:
        return (
            "The sandbox runs functions on the architecture of its host, which is "
            f"{architecture}, not {', '.join(wanted)}."
        )
    return None


def refuse_what_cannot_run(
    _chain: HandlerChain, context: RequestContext, _response: Response
) -> None:
    """A request handler for LocalStack's chain.

    Raises:
        CommonServiceException: with the service's own code and the reason.
    """
    if context.service is None or context.operation is None:
        return
    request = context.service_request or {}
    if context.operation.name in {"PutObject", "PutObjectTagging"}:
        if reason := tags_refusal(request):
            raise CommonServiceException("BadRequest", reason)
        return
    if context.service.service_name != "lambda":
        return
    reason = refusal(context.operation.name, request, host_architecture())
    if reason:
        raise CommonServiceException("InvalidParameterValueException", reason)
