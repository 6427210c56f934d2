"""Confirm an approver's e-mail subscription so that no click ends it.

Each e-mail of SNS has an unsubscribe link. A click on it by any person unsubscribes the approver,
unless a signed call with `AuthenticateOnUnsubscribe` confirmed the subscription.
https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
"""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlsplit

import boto3
import typer
from rich.console import Console
from slipway.errors import SlipwayError

from scripts.cli import start
from scripts.installed import EnvFile, NamePrefix, connect, refusals

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

console = Console(highlight=False)


def confirm(sns: "SNSClient", topic_arn: str, token: str) -> str:
    """Confirm a subscription with authentication.

    Args:
        sns: a client of SNS; it signs the call.
        topic_arn: the topic of notifications to approvers.
        token: from the e-mail, or its whole link.

    Returns:
        The address that was confirmed.

    Raises:
        SlipwayError: the link is of another topic, or was clicked before.
    """
    linked = parse_qs(urlsplit(token).query)
    if topic_arn not in linked.get("TopicArn", [topic_arn]):
        raise SlipwayError(
            f"This link is of topic {linked['TopicArn'][0]}, not of {topic_arn}. "
            "Check the name prefix, the AWS profile and the region."
        )
    arn = sns.confirm_subscription(
        TopicArn=topic_arn,
        Token=linked.get("Token", [token])[0],
        AuthenticateOnUnsubscribe="true",
    )["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    if attributes["ConfirmationWasAuthenticated"] != "true":
        raise SlipwayError(
            "The link in the e-mail was clicked before, so the subscription can be ended by a "
            f"click. Remove it and subscribe again: aws sns unsubscribe --subscription-arn {arn}; "
            "terraform apply; then confirm by the token of the new e-mail."
        )
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return next(
        one["Endpoint"]
        for page in pages
        for one in page["Subscriptions"]
        if one["SubscriptionArn"] == arn
    )


def main(
    token: Annotated[
        str, typer.Argument(help="The token in the e-mail's link, or the whole link, in quotes.")
    ],
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Confirm an approver's e-mail subscription so that no click can end it."""
    with refusals("confirm", console):
        topic_arn = connect(env_file, name_prefix).approvals_topic_arn
        address = confirm(boto3.client("sns"), topic_arn, token)
        console.print(f"{address} is subscribed. Only signed calls can end it.")


if __name__ == "__main__":
    start(main, "'https://…/confirm?token=…'")
