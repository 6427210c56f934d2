"""CloudWatch's alarms reach a topic only if its policy, and that of its key, let them."""

import json
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.testing import OWN_ROUTES
from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, REGION, RunningAws

ALARMS = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"


def statement(*actions: str, source: str = f"{ALARMS}*") -> dict[str, Any]:
    """Let CloudWatch do something, as the stack's policies word it."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": actions,
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": source},
        },
    }


OWNER = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
PUBLISH = statement("sns:Publish")
USE_KEY = statement("kms:Decrypt", "kms:GenerateDataKey*")


def topic(aws: RunningAws, publish: dict[str, Any] | None, key: list[dict[str, Any]] | None) -> str:
    client = aws.client("sns")
    attributes = {}
    if publish:
        attributes["Policy"] = policy(publish)
    if key is not None:
        made = aws.client("kms").create_key(Policy=policy(OWNER, *key))
        attributes["KmsMasterKeyId"] = made["KeyMetadata"]["Arn"]
    arn = client.create_topic(Name=aws.name("alarms"), Attributes=attributes)["TopicArn"]
    client.subscribe(TopicArn=arn, Protocol="email", Endpoint="operator@acme.example")
    (asked,) = emails(aws, arn)
    token = parse_qs(urlsplit(asked["message"].split()[-1]).query)["Token"][0]
    client.confirm_subscription(TopicArn=arn, Token=token)
    return str(arn)


def alarms(aws: RunningAws, arn: str) -> list[dict[str, str]]:
    """The e-mails but the one that asks for a confirmation."""
    return emails(aws, arn)[1:]


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def alarm(aws: RunningAws, *topics: str) -> None:
    client, name = aws.client("cloudwatch"), aws.name("alarm")
    client.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=topics,
    )
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")


def emails(aws: RunningAws, arn: str) -> list[dict[str, str]]:
    url = f"http://127.0.0.1:{aws.port}/_sandbox/emails"
    request = urllib.request.Request(url, headers=OWN_ROUTES)
    with urllib.request.urlopen(request) as answer:
        return [email for email in json.load(answer) if email["topic"] == arn]


@pytest.mark.parametrize(
    ("publish", "key"), [(PUBLISH, [USE_KEY]), (PUBLISH, None), (None, None), (None, [USE_KEY])]
)
def test_alarm_is_sent_when_policies_let_it(
    aws: RunningAws, publish: dict[str, Any] | None, key: list[dict[str, Any]] | None
) -> None:
    arn = topic(aws, publish, key)

    alarm(aws, arn)

    (email,) = wait_for(lambda: alarms(aws, arn))
    assert email["subject"].startswith("ALARM: ")


@pytest.mark.parametrize(
    ("publish", "key"),
    [
        (PUBLISH, []),
        (PUBLISH, [statement("kms:Decrypt")]),
        (statement("sns:Publish", source=f"{ALARMS}others-*"), [USE_KEY]),
        (PUBLISH, [statement("kms:*", source=f"{ALARMS}others-*")]),
    ],
    ids=["key", "half of the key", "topic of others", "key of others"],
)
def test_alarm_is_not_sent_when_a_policy_lacks_it(
    aws: RunningAws, publish: dict[str, Any], key: list[dict[str, Any]]
) -> None:
    refused, reached = topic(aws, publish, key), topic(aws, PUBLISH, [USE_KEY])

    alarm(aws, refused, reached)

    # The topics are told one after the other.
    assert wait_for(lambda: alarms(aws, reached))
    assert alarms(aws, refused) == []
