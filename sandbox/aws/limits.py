"""What the process runtime cannot run is refused by name."""

from collections.abc import Mapping
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.chain import HandlerChain
from localstack.http import Response

from sandbox.aws.settings import host_architecture

RUNTIME = "python3.13"


def refusal(operation: str, request: Mapping[str, Any], architecture: str) -> str | None:
    """Return why a Lambda request cannot be served here, or None.

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
        CommonServiceException: InvalidParameterValueException with the reason.
    """
    if context.service is None or context.operation is None:
        return
    if context.service.service_name != "lambda":
        return
    reason = refusal(context.operation.name, context.service_request or {}, host_architecture())
    if reason:
        raise CommonServiceException("InvalidParameterValueException", reason)
