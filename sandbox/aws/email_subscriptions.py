"""E-mail subscriptions of SNS, delivered to `sandbox.aws.emails` once they are confirmed.

LocalStack sends no e-mail to confirm them, hands their messages to SES, which refuses them, and
takes every confirmation for an authenticated one.

Known from documentation only: which calls need a signature, and that an authenticated confirmation
keeps unsigned calls from ending the subscription.
https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from localstack.aws.api import RequestContext
from localstack.aws.api.sns import AuthorizationErrorException
from localstack.services.sns import publisher
from localstack.services.sns.models import SnsSubscription
from localstack.services.sns.provider import SnsProvider
from localstack.utils.patch import patch

from sandbox.aws import settings
from sandbox.aws.emails import Email, keep

CONFIRMATION = "AWS Notification - Subscription Confirmation"
_UNSIGNED = "injectedaccesskey"
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
    _send(subscriber, context.message.subject or DEFAULT_SUBJECT, message)


def _send(subscription: SnsSubscription, subject: str, message: str) -> None:
    keep(
        Email(
            to=subscription["Endpoint"],
            topic=subscription["TopicArn"],
            subject=subject,
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
    """Send the e-mail with the link that confirms."""
    answer = original(provider, context, topic_arn=topic_arn, protocol=protocol, **kwargs)
    if protocol in {"email", "email-json"}:
        store = provider.get_store(context.account_id, context.region)
        arn = answer["SubscriptionArn"]
        token = next(token for token, of in store.subscription_tokens.items() if of == arn)
        query = {"Action": "ConfirmSubscription", "TopicArn": topic_arn, "Token": token}
        link = f"{settings.current().endpoint_url}/?{urlencode(query)}"
        _send(store.subscriptions[arn], CONFIRMATION, f"Confirm subscription: {link}")
    return answer


def _confirm_subscription(
    original: Callable[..., dict[str, str]],
    provider: SnsProvider,
    context: RequestContext,
    topic_arn: str,
    token: str,
    authenticate_on_unsubscribe: str | None = None,
    **kwargs: Any,
) -> dict[str, str]:
    authenticated = authenticate_on_unsubscribe == "true"
    if authenticated and not _is_signed(context):
        raise AuthorizationErrorException("AuthenticateOnUnsubscribe requires a signed request")
    _, _, _, region, account, _ = topic_arn.split(":")
    store = provider.get_store(account, region)
    subscription = store.subscriptions.get(store.subscription_tokens.get(token))
    was_pending = subscription and subscription["PendingConfirmation"] == "true"
    answer = original(provider, context, topic_arn=topic_arn, token=token, **kwargs)
    if was_pending:
        subscription["ConfirmationWasAuthenticated"] = str(authenticated).lower()
    return answer


def _list_by_topic(original: Callable[..., dict[str, Any]], *args: Any, **kwargs: Any) -> Any:
    """Show no ARN of a subscription that is not confirmed, as `ListSubscriptions` does."""
    answer = original(*args, **kwargs)
    shown = [
        {**one, "SubscriptionArn": "PendingConfirmation"}
        if one.get("PendingConfirmation") == "true"
        else one
        for one in answer["Subscriptions"]
    ]
    return {**answer, "Subscriptions": shown}


def _unsubscribe(
    original: Callable[..., None],
    provider: SnsProvider,
    context: RequestContext,
    subscription_arn: str,
    **kwargs: Any,
) -> None:
    # A link has no account and region but those in the ARN.
    _, _, _, region, account, *_ = subscription_arn.split(":")
    subscription = provider.get_store(account, region).subscriptions.get(subscription_arn)
    guarded = subscription and subscription.get("ConfirmationWasAuthenticated") == "true"
    if guarded and not _is_signed(context):
        raise AuthorizationErrorException("This subscription is ended by signed requests only")
    original(provider, context, subscription_arn=subscription_arn, **kwargs)


def _is_signed(context: RequestContext) -> bool:
    # LocalStack signs what came unsigned, as this user.
    signature = context.request.headers.get("Authorization", _UNSIGNED)
    return _UNSIGNED not in signature


def install() -> None:
    """Change SNS's e-mail subscriptions."""
    patch(publisher.EmailJsonTopicPublisher._publish)(_publish)
    patch(SnsProvider.subscribe)(_subscribe)
    patch(SnsProvider.confirm_subscription)(_confirm_subscription)
    patch(SnsProvider.unsubscribe)(_unsubscribe)
    patch(SnsProvider.list_subscriptions_by_topic)(_list_by_topic)
