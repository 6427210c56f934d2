"""Add CloudWatch's tags of alarms, and its checks before an alarm reaches a topic.

LocalStack accepts the tags of an alarm, but its responses omit them. Terraform compares what it
sent with what it reads, so every plan would show changes.

LocalStack publishes to any topic. CloudWatch needs the permission of the topic's policy and, if the
topic is encrypted, of the key's: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""

import json
import logging
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.connect import connect_to
from localstack.services.cloudwatch import provider_v2
from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider
from localstack.services.kms.models import kms_stores
from localstack.services.sns.models import sns_stores
from localstack.utils.aws import arns
from localstack.utils.patch import patch

LOG = logging.getLogger(__name__)

SERVICE = "cloudwatch.amazonaws.com"
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, expected: value == expected,
    "ArnLike": fnmatchcase,
}


def allows(policy: Mapping[str, Any], action: str, alarm_arn: str) -> bool:
    """Return whether a resource's policy lets CloudWatch do something for an alarm.

    Statements that deny are left out: those of the stack are about calls without TLS.
    """
    account = alarm_arn.split(":")[4]
    context = {
        "aws:SourceArn": alarm_arn,
        "aws:SourceAccount": account,
        "aws:SourceOwner": account,  # of the policy that SNS gives to a topic by itself
    }
    known = {key.lower(): value for key, value in context.items()}
    return any(
        statement["Effect"] == "Allow"
        and _is_for_cloudwatch(statement["Principal"])
        and any(fnmatchcase(action.lower(), one.lower()) for one in _listed(statement["Action"]))
        and all(
            any(_TESTS[test](known.get(key.lower(), ""), one) for one in _listed(expected))
            for test, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
        for statement in policy["Statement"]
    )


def _is_for_cloudwatch(principal: Any) -> bool:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    return SERVICE in _listed(principal.get("Service")) or principal.get("AWS") == "*"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _AlarmClients:
    """The clients that alarms use, of which SNS publishes only what CloudWatch may publish."""

    def __init__(self, clients: Any) -> None:
        self._clients = clients

    def __getattr__(self, name: str) -> Any:
        return self if name == "sns" else getattr(self._clients, name)

    def publish(self, **message: str) -> None:
        """Publish, or log what AWS would write into the alarm's history."""
        topic, alarm = message["TopicArn"], json.loads(message["Message"])["AlarmArn"]
        if refused := _refusal(topic, alarm):
            LOG.warning("Failed to execute action %s. Received error: %s", topic, refused)
            return
        self._clients.sns.publish(**message)


def _refusal(topic_arn: str, alarm_arn: str) -> str | None:
    _, _, _, region, account, _ = topic_arn.split(":")
    attributes = sns_stores[account][region].topics[topic_arn]["attributes"]
    if not allows(json.loads(attributes["Policy"]), "SNS:Publish", alarm_arn):
        return f"{alarm_arn} is not authorized to perform: SNS:Publish on resource: {topic_arn}"
    key = kms_stores[account][region].keys.get(
        str(attributes.get("KmsMasterKeyId")).rsplit("/", 1)[-1]
    )
    for action in ("kms:Decrypt", "kms:GenerateDataKey") if key else ():
        if not allows(json.loads(key.policy), action, alarm_arn):
            return (
                "CloudWatch Alarms does not have authorization to access the SNS topic "
                "encryption key."
            )
    return None


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


def _connect(**where: str) -> _AlarmClients:
    return _AlarmClients(connect_to(**where))


def install() -> None:
    """Keep the tags of alarms, and hold what they publish against policies."""
    patch(CloudwatchProvider.put_metric_alarm)(_put_metric_alarm)
    provider_v2.connect_to = _connect
