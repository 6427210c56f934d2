"""SNS: who is sent what by an attribute of the message, and where the e-mails are to be read."""

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sandbox.tests.http import HTTP
from sandbox.tests.waiting import wait_for
from tests.tools.iam import check

from .conftest import ACCOUNT, REGION, RunningAws

PERSON = "devops@acme.example"


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
    answer = HTTP.get(f"http://127.0.0.1:{aws.port}/_sandbox/emails")
    return [email for email in answer.json() if email["topic"] == topic]


def notices(aws: RunningAws, topic: str) -> list[dict[str, str]]:
    """The e-mails but those that ask for a confirmation."""
    return [email for email in emails(aws, topic) if "Confirm" not in email["message"]]


def confirmation_link(aws: RunningAws, topic: str, person: str) -> str:
    (mail,) = (mail for mail in emails(aws, topic) if mail["to"] == person)
    return mail["message"].rpartition(" ")[2]


def unsubscribe_link(aws: RunningAws, subscription: str) -> str:
    query = urlencode({"Action": "Unsubscribe", "SubscriptionArn": subscription})
    return f"http://127.0.0.1:{aws.port}/?{query}"


def authenticate(aws: RunningAws, topic: str) -> None:
    """Confirm as `scripts/confirm` does."""
    query = parse_qs(urlsplit(confirmation_link(aws, topic, PERSON)).query)
    aws.client("sns").confirm_subscription(
        TopicArn=topic, Token=query["Token"][0], AuthenticateOnUnsubscribe="true"
    )


def attributes(aws: RunningAws, subscription: str) -> dict[str, str]:
    answer = aws.client("sns").get_subscription_attributes(SubscriptionArn=subscription)
    return dict(answer["Attributes"])


def test_personal_message_goes_to_its_person_alone(aws: RunningAws, topic: str) -> None:
    devops, admin = "devops@acme.example", "admin@acme.example"
    for person in (devops, admin):
        subscribe(aws, topic, "email", person, person)
        HTTP.get(confirmation_link(aws, topic, person)).raise_for_status()

    publish(aws, topic, "your link: …", admin, Subject="Please decide")
    publish(aws, topic, "for an unknown person", "stranger@acme.example")
    publish(aws, topic, "yours", devops)

    found = wait_for(lambda: found if len(found := notices(aws, topic)) == 2 else None)
    assert found is not None
    told = sorted((email["to"], email["subject"], email["message"]) for email in found)
    assert told == [
        (admin, "Please decide", "your link: …"),
        (devops, "AWS Notification Message", "yours"),
    ]
    assert all(email["at"].endswith("Z") for email in found)


def test_pending_email_subscription_shows_no_arn(aws: RunningAws, topic: str) -> None:
    subscription = subscribe(aws, topic, "email", PERSON, PERSON)

    (shown,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]

    assert shown["SubscriptionArn"] == "PendingConfirmation"
    assert attributes(aws, subscription)["PendingConfirmation"] == "true"
    assert json.loads(attributes(aws, subscription)["FilterPolicy"]) == {"approver": [PERSON]}


def test_click_confirms_without_authentication(aws: RunningAws, topic: str) -> None:
    subscription = subscribe(aws, topic, "email", PERSON, PERSON)

    HTTP.get(confirmation_link(aws, topic, PERSON)).raise_for_status()

    assert attributes(aws, subscription)["PendingConfirmation"] == "false"
    assert attributes(aws, subscription)["ConfirmationWasAuthenticated"] == "false"


def test_click_ends_subscription_confirmed_by_click(aws: RunningAws, topic: str) -> None:
    subscription = subscribe(aws, topic, "email", PERSON, PERSON)
    HTTP.get(confirmation_link(aws, topic, PERSON)).raise_for_status()

    HTTP.get(unsubscribe_link(aws, subscription)).raise_for_status()

    assert aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_click_does_not_end_authenticated_subscription(aws: RunningAws, topic: str) -> None:
    subscription = subscribe(aws, topic, "email", PERSON, PERSON)
    authenticate(aws, topic)

    assert HTTP.get(unsubscribe_link(aws, subscription)).status_code == 403
    assert attributes(aws, subscription)["ConfirmationWasAuthenticated"] == "true"


def test_authenticated_confirmation_needs_a_signature(aws: RunningAws, topic: str) -> None:
    subscribe(aws, topic, "email", PERSON, PERSON)
    link = confirmation_link(aws, topic, PERSON)

    assert HTTP.get(f"{link}&AuthenticateOnUnsubscribe=true").status_code == 403


def test_signed_call_ends_authenticated_subscription(aws: RunningAws, topic: str) -> None:
    subscription = subscribe(aws, topic, "email", PERSON, PERSON)
    authenticate(aws, topic)

    aws.client("sns").unsubscribe(SubscriptionArn=subscription)

    assert aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_queue_is_sent_what_its_filter_lets_through(aws: RunningAws, topic: str) -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=aws.name("notices"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    subscribe(aws, topic, "sqs", arn["QueueArn"], "*")

    publish(aws, topic, "for one", "devops@acme.example")
    publish(aws, topic, "for every subscriber", "*")

    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
    bodies = [json.loads(message["Body"]) for message in messages["Messages"]]
    assert [body["Message"] for body in bodies] == ["for every subscriber"]
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
