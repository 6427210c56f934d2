"""`scripts/confirm` with SNS's answers as botocore's model describes them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from slipway.errors import SlipwayError

from scripts.confirm import confirm

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

TOPIC = "arn:aws:sns:eu-west-1:123456789012:slipway-approvals"
SUBSCRIPTION = f"{TOPIC}:6b0e71bd-7e97-4d97-80ce-4a0994e55286"
LINK = f"https://sns.eu-west-1.amazonaws.com/confirmation.html?TopicArn={TOPIC}&Token=2336412f&Endpoint=a@b"


@pytest.fixture
def sns() -> "SNSClient":
    return boto3.client(
        "sns", region_name="eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


@pytest.fixture
def answers(sns: "SNSClient") -> Iterator[Stubber]:
    with Stubber(sns) as stubber:
        yield stubber


def confirmed(answers: Stubber, authenticated: str) -> None:
    """Provide an SNS that accepts the token, and only with authentication."""
    wanted = {"TopicArn": TOPIC, "Token": "2336412f", "AuthenticateOnUnsubscribe": "true"}
    answers.add_response("confirm_subscription", {"SubscriptionArn": SUBSCRIPTION}, wanted)
    attributes = {"ConfirmationWasAuthenticated": authenticated}
    answers.add_response("get_subscription_attributes", {"Attributes": attributes})


@pytest.mark.parametrize("token", ["2336412f", LINK])
def test_confirm_names_the_address(sns: "SNSClient", answers: Stubber, token: str) -> None:
    confirmed(answers, "true")
    subscription = {"SubscriptionArn": SUBSCRIPTION, "Endpoint": "devops@acme.example"}
    answers.add_response("list_subscriptions_by_topic", {"Subscriptions": [subscription]})

    assert confirm(sns, TOPIC, token) == "devops@acme.example"


def test_confirm_fails_when_the_link_was_clicked(sns: "SNSClient", answers: Stubber) -> None:
    confirmed(answers, "false")

    with pytest.raises(SlipwayError, match="was clicked before"):
        confirm(sns, TOPIC, LINK)


def test_confirm_refuses_a_link_of_another_topic(sns: "SNSClient", answers: Stubber) -> None:
    with pytest.raises(SlipwayError, match="other-approvals"):
        confirm(sns, TOPIC, LINK.replace("slipway-approvals", "other-approvals"))
