"""`POST /port/webhook`: Port's requests, put into the queue of the function that they are for.

Nothing is worked on here: Port gets its answer at once, and documents no second attempt.
https://docs.port.io/actions-and-automations/setup-backend/webhook/
"""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from slipway.config import PortConfig, load
from slipway.errors import SignatureRejected
from slipway.observability import Metric, count, logger
from slipway.port.signature import verify_request
from slipway.runs.clients import signing_secrets
from slipway.runs.queues import Queues, read_queues, send

# Port's API takes a megabyte for all inputs, beside which the message has the entity.
# https://docs.port.io/api-reference/security
LARGEST = 2 * 1024 * 1024
# A new action is known this soon after the apply that adds it.
_QUEUES_SECONDS = 60.0
# A rotated secret counts this soon, and a flood of wrong signatures has it read no more often.
_SECRETS_SECONDS = 5.0
# The secret before a rotation stops counting this soon after its time is over.
_SECRETS_REMEMBERED = 300.0


class WebhookConfig(PortConfig):
    """Settings of the function, from Terraform."""

    records_bucket: str = Field(alias="RECORDS_BUCKET", min_length=1)


class _Refused(Exception):
    """An answer other than 202."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Webhook:
    """Takes Port's requests; made once in a process, because it remembers secrets and queues."""

    def __init__(self) -> None:
        self._config: WebhookConfig = load(WebhookConfig)
        self._queues: Queues | None = None
        self._queues_read = 0.0
        self._secrets: tuple[str, ...] = ()
        self._secrets_read = -_SECRETS_SECONDS

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of API Gateway.

        Args:
            event: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
        """
        try:
            self._accept(event)
        except SignatureRejected as rejected:
            # The response has no details, because the caller may not be Port.
            logger.warning("Request rejected", extra={"security": True, "why": str(rejected)})
            count(Metric.WEBHOOK_REFUSED, reason="Unauthorized")
            return _response(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized.")
        except _Refused as refused:
            logger.warning("Request refused", extra={"why": str(refused)})
            count(Metric.WEBHOOK_REFUSED, reason=refused.reason)
            return _response(refused.status, refused.reason, str(refused))
        return _response(HTTPStatus.ACCEPTED, "Accepted", "Accepted.")

    def _accept(self, event: Mapping[str, Any]) -> None:
        body = _body(event)
        headers = {str(name).lower(): value for name, value in (event.get("headers") or {}).items()}
        verify_request(
            body,
            str(headers.get("x-port-signature") or ""),
            str(headers.get("x-port-timestamp") or ""),
            self._signing_secrets(),
            datetime.now(UTC),
        )
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST, "NotJson", "The body is not JSON.") from None
        try:
            queue_url = self._known_queues().route(value)
            if queue_url is None:
                raise _Refused(
                    HTTPStatus.NOT_FOUND,
                    "UnknownAction",
                    "This installation has no such action. Install the actions of its version: "
                    "scripts/port_setup",
                )
            send(queue_url, body, value, self._config.records_bucket)
        except (BotoCoreError, ClientError) as error:
            logger.exception("A message could not be queued", extra={"why": str(error)})
            raise _Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "The request was not taken."
            ) from None

    def _signing_secrets(self) -> Iterator[str]:
        """The secrets that are known, then those of now if they were not read just before."""
        age = time.monotonic() - self._secrets_read
        if age < _SECRETS_REMEMBERED:
            yield from self._secrets
        if age >= _SECRETS_SECONDS:
            self._secrets = tuple(dict.fromkeys(signing_secrets(self._config)))
            self._secrets_read = time.monotonic()
            yield from self._secrets

    def _known_queues(self) -> Queues:
        if self._queues is None or time.monotonic() - self._queues_read >= _QUEUES_SECONDS:
            self._queues = read_queues(self._config.records_bucket)
            self._queues_read = time.monotonic()
        return self._queues


@cache
def webhook() -> Webhook:
    """One for the life of the process."""
    return Webhook()


def _body(event: Mapping[str, Any]) -> bytes:
    """The body as it was sent.

    Raises:
        _Refused: it is larger than a message of Port's can be.
    """
    text = str(event.get("body") or "")
    if len(text) > 2 * LARGEST:  # also in base64
        raise _too_large()
    if event.get("isBase64Encoded"):
        body = base64.b64decode(text)
    else:
        body = text.encode("utf-8", "surrogatepass")
    if len(body) > LARGEST:
        raise _too_large()
    return body


def _too_large() -> _Refused:
    return _Refused(HTTPStatus.CONTENT_TOO_LARGE, "TooLarge", "The body is too large.")


def _response(status: HTTPStatus, code: str, message: str) -> dict[str, Any]:
    body = json.dumps({"status": code, "message": message})
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": int(status), "headers": headers, "body": body, "isBase64Encoded": False}
