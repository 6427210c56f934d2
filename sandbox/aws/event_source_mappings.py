"""Event source mappings for Kafka: what LocalStack stores of them and answers.

Only the resource is here, as Terraform sees it; `sandbox.aws.event_source` does the polling.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.lambda_ import InvalidParameterValueException
from localstack.services.lambda_ import hooks
from localstack.services.lambda_.event_source_mapping import esm_worker
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.provider import LambdaProvider
from localstack.utils.patch import patch

# An update with one of these empty takes it away; an answer then does not have it at all.
_REMOVABLE = {"FilterCriteria": "Filters", "ProvisionedPollerConfig": None}

# AWS documents these error controls for Kafka in provisioned mode only. Each has the value that
# means "not set".
# https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
_PROVISIONED_ONLY: dict[str, object] = {
    "BisectBatchOnFunctionError": False,
    "FunctionResponseTypes": [],
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
}


@hooks.set_event_source_config_defaults()  # type: ignore[untyped-decorator]  # LocalStack's
def kafka_defaults(parameters: dict[str, Any], request: Mapping[str, Any], _service: str) -> None:
    """Lambda's defaults for Kafka, which the request then overrides.

    See https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    """
    parameters["BatchSize"] = 100
    parameters["StateTransitionReason"] = "USER_INITIATED"
    parameters["DestinationConfig"] = {"OnFailure": {}}
    group = {"ConsumerGroupId": parameters["UUID"]}
    if request.get("SelfManagedEventSource"):
        parameters["SelfManagedKafkaEventSourceConfig"] = group
    else:
        parameters["AmazonManagedKafkaEventSourceConfig"] = group


def is_removal(name: str, value: Mapping[str, Any]) -> bool:
    """Return whether an update with this value takes the parameter away."""
    inner = _REMOVABLE[name]
    return not (value.get(inner) if inner else value)


def check_error_controls(configuration: Mapping[str, Any]) -> None:
    """Refuse the error controls of a Kafka mapping that has no provisioned pollers.

    AWS does not say whether it refuses or ignores them; a test sees only the former. The message is
    the one that Lambda gave for Kafka before provisioned mode existed:
    https://github.com/aws/aws-cdk/issues/17934

    Raises:
        InvalidParameterValueException: a control is set.
    """
    if not configuration.get("Topics") or configuration.get("ProvisionedPollerConfig"):
        return
    for name, unset in _PROVISIONED_ONLY.items():
        if configuration.get(name, unset) != unset:
            parameter = name[0].lower() + name[1:]
            raise InvalidParameterValueException(
                f"Unsupported '{parameter}' parameter for given event source mapping type.",
                Type="User",
            )


def _create(
    original: Callable[..., dict[str, Any]],
    provider: LambdaProvider,
    context: RequestContext,
    request: Mapping[str, Any],
) -> dict[str, Any]:
    """LocalStack stores a mapping before it makes its poller: if that fails, nothing may stay."""
    check_error_controls(request)
    stored = lambda_stores[context.account_id][context.region].event_source_mappings
    before = set(stored)
    try:
        return original(provider, context, request)
    except Exception:
        for mapping_id in set(stored) - before - set(provider.esm_workers):
            del stored[mapping_id]
        raise


def _update(
    original: Callable[..., dict[str, Any]],
    provider: LambdaProvider,
    context: RequestContext,
    request: Mapping[str, Any],
) -> dict[str, Any]:
    stored = lambda_stores[context.account_id][context.region].event_source_mappings
    mapping = stored.get(request.get("UUID"))
    removed = {
        name for name in _REMOVABLE if name in request and is_removal(name, request[name] or {})
    }
    kept = {name: value for name, value in request.items() if name not in removed}
    left = {name: value for name, value in (mapping or {}).items() if name not in removed}
    check_error_controls(left | kept)
    if mapping:
        for name in removed:
            mapping.pop(name, None)
        mapping["LastModified"] = datetime.now(UTC)
    return original(provider, context, kept)


def _delete(
    original: Callable[..., dict[str, Any]],
    provider: LambdaProvider,
    context: RequestContext,
    uuid: str,
    **kwargs: object,
) -> dict[str, Any]:
    """LocalStack takes a mapping out of its store when its poller ends; a paused one has none."""
    worker = provider.esm_workers.get(uuid)
    answer = original(provider, context, uuid, **kwargs)
    if worker and worker.current_state == "Deleting" and not worker.enabled:
        worker.delete_esm_in_store()
    return answer


def install() -> None:
    """Change LocalStack's provider where it does not answer as Lambda does."""
    patch(LambdaProvider.create_event_source_mapping_v2)(_create)
    patch(LambdaProvider.update_event_source_mapping_v2)(_update)
    patch(LambdaProvider.delete_event_source_mapping)(_delete)

    # Counting a failed poll, LocalStack reads the service from the source's ARN; a self-managed
    # cluster has none, and the poller's thread would end there.
    parse_arn = esm_worker.parse_arn
    esm_worker.parse_arn = lambda arn: parse_arn(arn) if arn else {"service": "kafka"}
