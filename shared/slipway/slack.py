"""Post to Slack's incoming webhooks."""

from collections.abc import Callable
from typing import Any

from slipway.config import SlackWebhook, read_secret
from slipway.observability import logger, register_secret

_TIMEOUT_SECONDS = 5


def slack_webhook(secret_id: str) -> Callable[[], str] | None:
    """Return a getter of the webhook's address; None: Slack is not used.

    Args:
        secret_id: of the secret with the address; may be empty.
    """
    if not secret_id:
        return None

    def webhook() -> str:
        url = read_secret(SlackWebhook, secret_id).webhook_url.get_secret_value()
        register_secret(url)
        return url

    return webhook


def post(url: str, message: dict[str, Any]) -> bool:
    """Post a message.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

    Returns:
        Whether Slack accepted it. A failure is only logged, because Slack is best effort.
    """
    import requests

    try:
        answer = requests.post(url, json=message, timeout=_TIMEOUT_SECONDS)
    except (requests.RequestException, ValueError) as error:  # the latter: an odd `Location`
        # The error's text would quote the address, which is a secret.
        logger.warning("Slack could not be reached", extra={"why": type(error).__name__})
        return False
    if not answer.ok:
        logger.warning("Slack refused a message", extra={"status": answer.status_code})
    return answer.ok


def mrkdwn(text: str) -> str:
    """Return text escaped for Slack's markup.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
