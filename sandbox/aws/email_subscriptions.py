"""E-mail subscriptions of SNS: confirmed at once, and delivered to `sandbox.aws.emails`.

LocalStack leaves them unconfirmed, and hands their messages to SES, which refuses them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.sns import publisher
from localstack.services.sns.models import SnsSubscription
from localstack.services.sns.provider import SnsProvider
from localstack.utils.patch import patch

from sandbox.aws.emails import Email, keep

# What SNS writes when a message has no subject.
DEFAULT_SUBJECT = "AWS Notification Message"


def _publish(
    _original: Callable[..., None],
    notifier: publisher.EmailJsonTopicPublisher,
    context: publisher.SnsPublishContext,
    subscriber: SnsSubscription,
) -> None:
    message = notifier.prepare_message(
        context.message, subscriber, topic_attributes=context.topic_attributes
    )
    keep(
        Email(
            to=subscriber["Endpoint"],
            topic=subscriber["TopicArn"],
            subject=context.message.subject or DEFAULT_SUBJECT,
            message=message,
            at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
    )


def _subscribe(
    original: Callable[..., dict[str, str]],
    provider: SnsProvider,
    context: RequestContext,
    topic_arn: str,
    protocol: str,
    **kwargs: Any,
) -> dict[str, str]:
    """Nobody can follow the link of a confirmation here: it is taken as done."""
    answer = original(provider, context, topic_arn=topic_arn, protocol=protocol, **kwargs)
    if protocol in {"email", "email-json"}:
        store = provider.get_store(context.account_id, context.region)
        subscription = store.subscriptions[answer["SubscriptionArn"]]
        subscription["PendingConfirmation"] = "false"
        subscription["ConfirmationWasAuthenticated"] = "false"
    return answer


def install() -> None:
    """Change SNS's e-mail subscriptions."""
    patch(publisher.EmailJsonTopicPublisher._publish)(_publish)
    patch(SnsProvider.subscribe)(_subscribe)
