"""Tags of CloudWatch's alarms, which LocalStack is told and then leaves out of its answers.

Terraform compares what it sent with what it reads: without them, every plan would show changes.
"""

from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider
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


def install() -> None:
    """Keep the tags of alarms."""
    patch(CloudwatchProvider.put_metric_alarm)(_put_metric_alarm)
