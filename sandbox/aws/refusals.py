"""Refuse what AWS refuses, before LocalStack or moto accept it.

The service models come first, then the rules.
"""

from collections.abc import Mapping
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.chain import HandlerChain
from localstack.http import Response

from sandbox.aws.rules import Request, broken
from sandbox.aws.shapes import faults

# The code of a request that breaks its model, by the protocol of the service.
_CODES = {"query": "ValidationError", "ec2": "InvalidParameterValue", "rest-xml": "InvalidRequest"}


def refuse(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    """A request handler for LocalStack's chain.

    Raises:
        CommonServiceException: with AWS's code and message.
    """
    if context.service is None or context.operation is None:
        return
    parameters: Mapping[str, Any] = context.service_request or {}
    if found := list(faults(parameters, context.operation.input_shape)):
        many = "error" if len(found) == 1 else "errors"
        code = _CODES.get(context.service.protocol, "ValidationException")
        message = f"{len(found)} validation {many} detected: {'; '.join(found)}"
        raise CommonServiceException(code, message, status_code=400, sender_fault=True)
    request = Request(
        operation=f"{context.service.service_name}:{context.operation.name}",
        parameters=parameters,
        account=context.account_id,
        region=context.region,
    )
    for rule, message in broken(request):
        raise CommonServiceException(rule.code, message, status_code=rule.status, sender_fault=True)
