"""What LocalStack is told when a resource is made, and then leaves out of its answers.

Terraform compares what it sent with what it reads: without these, every plan would show changes.
"""

from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider
from localstack.services.stepfunctions.backend.state_machine import StateMachineInstance
from localstack.utils.aws import arns
from localstack.utils.patch import patch


def _put_metric_alarm(
    original: Callable[..., None],
    provider: CloudwatchProvider,
    context: RequestContext,
    request: dict[str, Any],
    **kwargs: object,
) -> None:
    """CloudWatch takes the tags of an alarm when it is made, and not when it is changed.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    tags = request.pop("Tags", None)
    name = request["AlarmName"]
    arn = arns.cloudwatch_alarm_arn(name, context.account_id, context.region)
    is_new = arn not in provider.get_store(context.account_id, context.region).alarms
    original(provider, context, request, **kwargs)
    if tags and is_new:
        provider.tag_resource(context, arn, tags)


def _describe(
    original: Callable[..., dict[str, Any]], machine: StateMachineInstance
) -> dict[str, Any]:
    answer = original(machine)
    if machine.tracing_config:
        answer["tracingConfiguration"] = machine.tracing_config
    return answer


def install() -> None:
    """Complete the answers of CloudWatch's alarms and of Step Functions' state machines."""
    patch(CloudwatchProvider.put_metric_alarm)(_put_metric_alarm)
    patch(StateMachineInstance.describe)(_describe)
