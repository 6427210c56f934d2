"""SNS: who is sent what by an attribute of the message, and where the e-mails are to be read."""

import json
import urllib.request
from typing import Any

import pytest

from sandbox.aws.iam import check
from sandbox.tests.waiting import wait_for

from .conftest import ACCOUNT, REGION, RunningAws


@pytest.fixture
def key(aws: RunningAws) -> str:
    return str(aws.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def topic(aws: RunningAws, key: str) -> str:
    client = aws.client("sns")
    return str(
        client.create_topic(Name=aws.name("approvals"), Attributes={"KmsMasterKeyId": key})[
            "TopicArn"
        ]
    )


def subscribe(aws: RunningAws, topic: str, protocol: str, endpoint: str, *approvers: str) -> str:
    policy = {"FilterPolicy": json.dumps({"approver": approvers})} if approvers else {}
    made = aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol=protocol,
        Endpoint=endpoint,
        Attributes=policy,
        ReturnSubscriptionArn=True,
    )
    return str(made["SubscriptionArn"])


def publish(aws: RunningAws, topic: str, message: str, approver: str, **more: Any) -> None:
    attribute = {"approver": {"DataType": "String", "StringValue": approver}}
    aws.client("sns").publish(TopicArn=topic, Message=message, MessageAttributes=attribute, **more)


def emails(aws: RunningAws, topic: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{aws.port}/_sandbox/emails") as answer:
        return [email for email in json.load(answer) if email["topic"] == topic]


def test_personal_message_goes_to_its_person_alone(aws: RunningAws, topic: str) -> None:
    devops, admin = "devops@acme.example", "admin@acme.example"
    subscribe(aws, topic, "email", devops, devops)
    subscribe(aws, topic, "email", admin, admin)

    publish(aws, topic, "your link: …", admin, Subject="Please decide")
    publish(aws, topic, "for nobody", "stranger@acme.example")
    publish(aws, topic, "yours", devops)

    found = wait_for(lambda: emails(aws, topic) if len(emails(aws, topic)) == 2 else None)
    assert found is not None
    told = sorted((email["to"], email["subject"], email["message"]) for email in found)
    assert told == [
        (admin, "Please decide", "your link: …"),
        (devops, "AWS Notification Message", "yours"),
    ]
    assert all(email["at"].endswith("Z") for email in found)


def test_email_subscription_is_taken_as_confirmed(aws: RunningAws, topic: str) -> None:
    subscription = subscribe(aws, topic, "email", "devops@acme.example", "devops@acme.example")

    attributes = aws.client("sns").get_subscription_attributes(SubscriptionArn=subscription)

    assert attributes["Attributes"]["PendingConfirmation"] == "false"
    assert json.loads(attributes["Attributes"]["FilterPolicy"]) == {
        "approver": ["devops@acme.example"]
    }


def test_queue_is_sent_what_its_filter_lets_through(aws: RunningAws, topic: str) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=aws.name("notices"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    subscribe(aws, topic, "sqs", arn["QueueArn"], "*")

    publish(aws, topic, "for one", "devops@acme.example")
    publish(aws, topic, "for nobody in particular", "*")

    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
    bodies = [json.loads(message["Body"]) for message in messages["Messages"]]
    assert [body["Message"] for body in bodies] == ["for nobody in particular"]
    assert bodies[0]["MessageAttributes"]["approver"]["Value"] == "*"


def test_publishing_to_an_encrypted_topic_takes_its_key(
    aws: RunningAws, topic: str, key: str
) -> None:
    function = aws.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('sns').publish(TopicArn=event, Message='hello')\n"
    )
    aws.invoke(function, topic)
    calls = [call for call in aws.calls() if call["function"] == function]

    def policy(key_actions: list[str]) -> dict[str, Any]:
        via = {"StringEquals": {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}}
        return {
            "Statement": [
                {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic},
                {"Effect": "Allow", "Action": key_actions, "Resource": key, "Condition": via},
            ]
        }

    assert check(calls, [policy(["kms:Decrypt", "kms:GenerateDataKey"])]) == ([], [])
    violations, _ = check(calls, [policy(["kms:Decrypt"])])
    assert [violation.action for violation in violations] == ["kms:GenerateDataKey"]
    assert topic.startswith(f"arn:aws:sns:{REGION}:{ACCOUNT}:")
