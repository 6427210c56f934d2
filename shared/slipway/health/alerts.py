"""Notify people of unhealthy services by SNS and Slack."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from slipway import aws
from slipway.errors import ConfigurationError
from slipway.observability import logger
from slipway.slack import mrkdwn, post

# SNS: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_LONGEST_SUBJECT = 99
# A section of Slack has 3000 characters, and each of these can become five.
_LONGEST_REASON = 500


class Alerts:
    """Sends alerts; failures are only logged.

    The issue and the catalogue have the same information.

    Args:
        topic_arn: the SNS topic.
        slack_webhook: gives the webhook's address; None: no Slack.
    """

    def __init__(self, topic_arn: str, slack_webhook: Callable[[], str] | None) -> None:
        self._topic_arn = topic_arn
        self._slack_webhook = slack_webhook

    def send(self, title: str, reason: str, lines: list[str], url: str) -> None:
        """Send an alert to all subscribers.

        Args:
            title: what happened, without a full stop.
            reason: why, as a sentence.
            lines: the timeline.
            url: the issue, or the service's page in Port.
        """
        text = "\n".join([f"{title}.", "", reason, "", *lines, "", f"Details: {url}"])
        plain = "".join(c if c.isascii() and c.isprintable() else " " for c in title)
        try:
            aws.sns().publish(
                TopicArn=self._topic_arn, Subject=plain.strip()[:_LONGEST_SUBJECT], Message=text
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("alert not sent", extra={"why": str(error)})
        if self._slack_webhook is None:
            return
        try:
            post(self._slack_webhook(), slack_message(title, reason, url))
        except ConfigurationError as error:
            logger.warning("Slack was not notified", extra={"why": str(error)})


def slack_message(title: str, reason: str, url: str) -> dict[str, Any]:
    """Format an alert in Slack's blocks.

    https://docs.slack.dev/reference/block-kit/blocks/section-block
    """
    reason = reason[:_LONGEST_REASON]
    text = f"{mrkdwn(reason)}\n<{url}|Details>"
    return {
        "text": f"{mrkdwn(title)}: {mrkdwn(reason)}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        ],
    }
