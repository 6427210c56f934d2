"""Notify approvers by SNS e-mail with a personal link, and by Slack.

A failed notification stops nothing: the request is in Port, and its run reports the failure.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from slipway import aws
from slipway.approvals.decision import moment
from slipway.approvals.links import Link, sign
from slipway.approvals.models import Approval
from slipway.observability import logger
from slipway.slack import mrkdwn, post

Occasion = Literal["request", "reminder"]
# SNS: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_LONGEST_SUBJECT = 99


@dataclass(frozen=True)
class Places:
    """Addresses in the notifications.

    Attributes:
        run_url: the page in Port of the run, or of the service to repair.
        request_url: the approval request's page in Port.
        links_base_url: the API's stage, without a trailing slash.
    """

    run_url: str
    request_url: str
    links_base_url: str


class Notifications:
    """Sends notifications.

    Args:
        topic_arn: the SNS topic; its e-mail subscriptions filter by attribute `approver`.
        link_key: gives the key that signs links.
        slack_webhook: gives the webhook's address; None: no Slack.
    """

    def __init__(
        self,
        topic_arn: str,
        link_key: Callable[[], str],
        slack_webhook: Callable[[], str] | None,
    ) -> None:
        self._topic_arn = topic_arn
        self._link_key = link_key
        self._slack_webhook = slack_webhook

    def send(
        self, approval: Approval, approvers: Iterable[str], places: Places, occasion: Occasion
    ) -> list[str]:
        """Notify all approvers.

        Args:
            approval: the request.
            approvers: the e-mail addresses that get a personal link.
            places: addresses to show.
            occasion: a new request, or a reminder.

        Returns:
            Sentences about failed notifications.
        """
        failed = []
        topic = aws.sns()
        for email in approvers:
            link = Link(approval.id, email, approval.expires_at)
            token = sign(link, self._link_key())
            text = email_text(approval, places, f"{places.links_base_url}/links/{token}")
            try:
                topic.publish(
                    TopicArn=self._topic_arn,
                    Subject=subject(approval, occasion),
                    Message=text,
                    MessageAttributes={"approver": {"DataType": "String", "StringValue": email}},
                )
            except (BotoCoreError, ClientError) as error:
                logger.warning("notification not sent", extra={"to": email, "why": str(error)})
                failed.append(f"{email} could not be notified by e-mail.")
        if self._slack_webhook is not None and not post(
            self._slack_webhook(), slack_message(approval, places, occasion)
        ):
            failed.append("The Slack channel could not be notified.")
        return failed


def subject(approval: Approval, occasion: Occasion) -> str:
    """Return the e-mail's subject: one line of ASCII, as SNS requires."""
    prefix = "Reminder: " if occasion == "reminder" else ""
    text = f"{prefix}Approve {approval.name} ({approval.environment}): {approval.summary}"
    plain = "".join(c if c.isascii() and c.isprintable() else " " for c in text.replace("→", "to"))
    return plain[:_LONGEST_SUBJECT]


def email_text(approval: Approval, places: Places, link: str) -> str:
    """Return the e-mail to one approver."""
    return "\n".join(
        [
            f"{approval.requested_by} requests a change:",
            "",
            f"    {approval.name} ({approval.environment})",
            f"    {approval.summary}",
            "",
            f"The request waits for your decision until {moment(approval.expires_at)}.",
            "",
            "Review the change and decide (this link is personal; opening it decides nothing):",
            link,
            "",
            f"In Port: {places.request_url}",
            f"Source of the request: {places.run_url}",
        ]
    )


def slack_message(approval: Approval, places: Places, occasion: Occasion) -> dict[str, Any]:
    """Return a message in Slack's blocks.

    It has no personal link, because everyone in the channel can read it.

    https://docs.slack.dev/reference/block-kit/blocks/section-block
    """
    headline = "Reminder: an approval is waiting" if occasion == "reminder" else "Approval wanted"
    fields = {
        "For": f"{approval.name} ({approval.environment})",
        "Change": approval.summary,
        "Requested by": approval.requested_by,
        "Until": moment(approval.expires_at),
    }
    return {
        "text": f"{headline}: {mrkdwn(approval.summary)} of {mrkdwn(approval.name)}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": headline}},
            {
                "type": "section",
                "fields": [
                    {"type": "mrkdwn", "text": f"*{name}*\n{mrkdwn(value)}"}
                    for name, value in fields.items()
                ],
            },
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": f"<{places.request_url}|Review the change and decide in Port>",
                },
            },
        ],
    }
