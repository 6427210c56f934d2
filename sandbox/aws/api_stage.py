"""Enforce throttling, access logs and resource policies of API Gateway.

LocalStack only stores them.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.api import RequestContext
from localstack.aws.api.apigateway import BadRequestException
from localstack.aws.connect import connect_to
from localstack.http import Response
from localstack.services.apigateway.helpers import get_apigateway_store, get_moto_rest_api
from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.services.apigateway.next_gen.execute_api.api import RestApiGatewayHandlerChain
from localstack.services.apigateway.next_gen.execute_api.context import RestApiInvocationContext
from localstack.services.apigateway.next_gen.execute_api.gateway import RestApiGateway
from localstack.services.apigateway.next_gen.execute_api.gateway_response import ThrottledError
from localstack.services.apigateway.next_gen.provider import ApigatewayNextGenProvider
from localstack.utils.patch import patch

from sandbox.aws.api_settings import TokenBucket, access_log_line, limits

LOG = logging.getLogger(__name__)

# The path of a patch operation: `/<path>/<METHOD>/<group>/<setting>`.
_SETTING = re.compile(
    r"/(?P<method>.+/[A-Z*]+)/(?P<setting>(?:metrics|logging|throttling|caching)/\w+)"
)

_buckets: dict[tuple[str, str, str], TokenBucket] = {}
_buckets_lock = threading.Lock()


def throttle(
    _chain: RestApiGatewayHandlerChain, context: RestApiInvocationContext, _response: Response
) -> None:
    """A handler of API Gateway's chain, after the resource is known.

    Raises:
        ThrottledError: Too many requests; answered as 429.
    """
    resource, method = context.resource["path"], context.resource_method["httpMethod"]
    settings = context.stage_configuration.get("methodSettings") or {}
    rate, burst = limits(settings, resource, method)
    if rate is None or burst is None:
        return
    key = (context.api_id, context.stage, f"{method} {resource}")
    with _buckets_lock:
        bucket = _buckets.get(key)
        if bucket is None or bucket.limits != (rate, burst):
            bucket = _buckets[key] = TokenBucket(rate, burst)
    if not bucket.take():
        raise ThrottledError("Too Many Requests")


def _update_stage(
    original: Callable[..., Any],
    provider: ApigatewayNextGenProvider,
    context: RequestContext,
    rest_api_id: str,
    stage_name: str,
    patch_operations: list[dict[str, str]] | None = None,
    **kwargs: object,
) -> Any:
    """LocalStack loses the settings of a method whose path has more than one part."""
    operations = patch_operations or []
    if any(
        operation["path"].startswith("/accessLogSettings") and operation["op"] != "remove"
        for operation in operations
    ):
        _require_log_role(context)
    stages = get_moto_rest_api(context, rest_api_id).stages
    settings = stages[stage_name].method_settings if stage_name in stages else {}
    ours = [
        operation
        for operation in operations
        if _SETTING.fullmatch(operation["path"])
        or (operation["op"] == "remove" and operation["path"].strip("/") in settings)
    ]
    others = [operation for operation in operations if operation not in ours]
    answer = original(provider, context, rest_api_id, stage_name, others, **kwargs)
    if not ours:
        return answer
    stage = get_moto_rest_api(context, rest_api_id).stages[stage_name]  # a new one
    for operation in ours:
        if operation["op"] == "remove":
            stage.method_settings.pop(operation["path"].strip("/"), None)
        elif match := _SETTING.fullmatch(operation["path"]):
            stage._patch_method_setting(match["method"], match["setting"], operation["value"])
    return {**answer, "methodSettings": stage.method_settings}


def _create_stage(
    original: Callable[..., Any],
    provider: ApigatewayNextGenProvider,
    context: RequestContext,
    request: dict[str, Any],
) -> Any:
    if request.get("accessLogSettings"):
        _require_log_role(context)
    return original(provider, context, request)


def _require_log_role(context: RequestContext) -> None:
    """Refuse an access log where API Gateway has no role to write it with.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html

    Raises:
        BadRequestException: As the real service words it.
    """
    if not get_apigateway_store(context=context).account.get("cloudwatchRoleArn"):
        raise BadRequestException(
            "CloudWatch Logs role ARN must be set in account settings to enable logging"
        )


def _update_rest_api(
    original: Callable[..., Any],
    provider: ApigatewayNextGenProvider,
    context: RequestContext,
    rest_api_id: str,
    patch_operations: list[dict[str, str]] | None = None,
    **kwargs: object,
) -> Any:
    """Store the short form of a policy's resources as the API's ARN.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
    """
    arn = f"arn:aws:execute-api:{context.region}:{context.account_id}:{rest_api_id}/"
    operations = [
        {**operation, "value": operation["value"].replace('"execute-api:/', f'"{arn}')}
        if operation["path"] == "/policy" and operation.get("value")
        else operation
        for operation in patch_operations or []
    ]
    return original(provider, context, rest_api_id, operations, **kwargs)


def _process(
    original: Callable[..., None],
    gateway: RestApiGateway,
    context: RestApiInvocationContext,
    response: Response,
) -> None:
    started = time.monotonic()
    original(gateway, context, response)
    settings = (context.stage_configuration or {}).get("accessLogSettings") or {}
    if not settings.get("destinationArn") or context.context_variables is None:
        return
    variables = {
        **context.context_variables,
        "status": response.status_code,
        "responseLength": len(response.get_data()),
        "responseLatency": int((time.monotonic() - started) * 1000),
        "xrayTraceId": context.trace_id,
    }
    line = access_log_line(settings.get("format") or "", variables)
    group = settings["destinationArn"].split(":log-group:")[1].removesuffix(":*")
    try:
        _write(context, group, line)
    except ClientError:
        # A log that is not there fails no request.
        LOG.exception("access log of %s was not written", context.api_id)


def _write(context: RestApiInvocationContext, group: str, line: str) -> None:
    logs = connect_to(aws_access_key_id=context.account_id, region_name=context.region).logs
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=context.api_id)
    except logs.exceptions.ResourceAlreadyExistsException:
        LOG.debug("log stream %s is there", context.api_id)
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(logGroupName=group, logStreamName=context.api_id, logEvents=[event])


def install() -> None:
    """Make API Gateway throttle, log and complete policies."""
    handlers.preprocess_request.append(throttle)
    patch(RestApiGateway.process_with_context)(_process)
    patch(ApigatewayNextGenProvider.create_stage)(_create_stage)
    patch(ApigatewayNextGenProvider.update_rest_api)(_update_rest_api)
    patch(ApigatewayNextGenProvider.update_stage)(_update_stage)
