from datetime import timedelta
from typing import Any

import boto3
import pytest
from slipway.approvals.links import read
from slipway.approvals.notifications import (
    Notifications,
    Places,
    email_text,
    slack_message,
    subject,
)

from tests.scripted import NO_ANSWER, ScriptedServer
from tests.unit.approvals.conftest import NOW, make_approval

pytestmark = pytest.mark.waits

TOPIC = "arn:aws:sns:eu-west-1:123456789012:approvals"
PLACES = Places("https://port.test/run", "https://port.test/request", "https://links.test/live")
KEY = "k" * 32


def subscribe(email: str) -> str:
    """Make a queue that receives one approver's notifications."""
    queues = boto3.client("sqs")
    url = queues.create_queue(QueueName=email.partition("@")[0])["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    boto3.client("sns").subscribe(
        TopicArn=TOPIC,
        Protocol="sqs",
        Endpoint=arn["Attributes"]["QueueArn"],
        Attributes={
            "FilterPolicy": f'{{"approver": ["{email}"]}}',
            "RawMessageDelivery": "true",
        },
    )
    return str(url)


def messages(url: str) -> list[str]:
    answer = boto3.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_each_approver_receives_a_link_of_their_own(aws: None) -> None:
    approval = make_approval()
    queues = {email: subscribe(email) for email in approval.emails}

    failed = Notifications(TOPIC, lambda: KEY, None).send(
        approval, approval.emails, PLACES, "request"
    )

    assert failed == []
    for email, url in queues.items():
        (text,) = messages(url)
        (address,) = [line for line in text.splitlines() if "/links/" in line]
        link = read(address.rpartition("/")[2], [KEY], NOW)
        assert (link.approver, link.approval_id) == (email, approval.id)


def test_missing_topic_is_reported_and_does_not_raise(aws: None) -> None:
    notifications = Notifications(TOPIC + "-gone", lambda: KEY, None)

    failed = notifications.send(make_approval(), ["devops@acme.example"], PLACES, "request")

    assert failed == ["devops@acme.example could not be notified by e-mail."]


def test_slack_message_has_the_port_page_and_no_approval_link(aws: None) -> None:
    with ScriptedServer().running() as slack:
        slack.script("POST /services/secret", (200, "ok", {}))
        notifications = Notifications(TOPIC, lambda: KEY, lambda: f"{slack.url}/services/secret")

        failed = notifications.send(make_approval(), [], PLACES, "reminder")

        (body,) = slack.bodies("POST /services/secret")
    assert failed == []
    assert "Reminder" in body["text"]
    assert "https://port.test/request" in str(body["blocks"])
    assert "/links/" not in str(body)


@pytest.mark.parametrize("status", [404, 500, NO_ANSWER])
def test_slack_error_is_reported_without_the_webhook_address(
    aws: None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer().running() as slack:
        slack.script("POST /services/secret", (status, "no", {}))
        notifications = Notifications(TOPIC, lambda: KEY, lambda: f"{slack.url}/services/secret")

        failed = notifications.send(make_approval(), [], PLACES, "request")

    assert failed == ["The Slack channel could not be notified."]
    printed = capsys.readouterr()
    assert "services/secret" not in printed.out + printed.err


@pytest.mark.parametrize(
    "summary", ["replicas 2 → 3", "x" * 500, "zwei\nZeilen", "café ☕ \x07", ""]
)
def test_notification_subject_is_valid_for_sns(summary: str) -> None:
    text = subject(make_approval(summary=summary), "reminder")

    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 100


def test_email_has_the_requester_change_and_expiry() -> None:
    approval = make_approval(expires_at=NOW + timedelta(hours=2))
    text = email_text(approval, PLACES, "https://links.test/live/links/abc")
    for wanted in (
        "dev@acme.example requests a change",
        "shop (Production)",
        "replicas 2 → 3",
        "until 2026-11-23 14:00 UTC",
        "https://links.test/live/links/abc",
    ):
        assert wanted in text


def test_slack_message_escapes_markup() -> None:
    hostile = make_approval(summary="<!channel> & <https://evil.test|click>")
    message: dict[str, Any] = slack_message(hostile, PLACES, "request")
    assert "<!channel>" not in str(message)
    assert "&lt;!channel&gt; &amp; " in str(message)
