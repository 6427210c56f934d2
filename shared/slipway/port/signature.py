"""Sign and verify Port's messages: from Kafka in the body, from a webhook in HTTP headers.

Port removes its two headers from `headers`, serialises the message as JavaScript does, and signs
`<timestamp>.<text>` with the organisation's client secret:
https://docs.port.io/actions-and-automations/setup-backend/webhook/signature-verification

The signature of a webhook's request covers the body as it was sent.

JavaScript and Python write some numbers differently (`1e-7`, `1e-07`), so numbers keep the text
that they have in the message.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.errors import SignatureRejected

SIGNATURE = "X-Port-Signature"
TIMESTAMP = "X-Port-Timestamp"
TOLERANCE = timedelta(minutes=5)
# Version, comma, and the base64 of 32 bytes.
_HEADER = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Number(str):
    """A JSON number in its original text."""

    __slots__ = ()


def verify(body: str, secrets: Iterable[str], record_time: datetime, *, required: bool) -> bool:
    """Check the signature of a message.

    Args:
        body: the received message.
        secrets: client secrets to try, the current one first; read only as far as needed.
        record_time: the Kafka record's timestamp. The message's own timestamp must be
            near it: the current time would reject messages that waited in the topic.
        required: whether a message without a signature is refused.

    Returns:
        True if the signature is valid, False without a signature.

    Raises:
        SignatureRejected: it is missing but required, malformed, wrong, or out of time; or the
            message is nested too deeply to check.
    """
    message = json.loads(body, parse_float=_Number, parse_int=_Number)
    headers = message.get("headers")
    if not isinstance(headers, dict) or SIGNATURE not in headers:
        if required:
            raise SignatureRejected("The message is not signed, and signatures are required.")
        return False
    signature = headers.pop(SIGNATURE)
    timestamp = headers.pop(TIMESTAMP, None)
    if not isinstance(signature, str) or not isinstance(timestamp, str):
        raise SignatureRejected("The message's signature headers are malformed.")
    _check_time(str(timestamp), record_time)
    invocation = _dig(message, "payload", "action", "invocationMethod")
    if isinstance(invocation, dict) and invocation.get("type") == "GITLAB":
        del message["headers"]
    try:
        text = _stringify(message)
    except RecursionError:
        raise SignatureRejected("The message is nested too deeply to be checked.") from None
    for secret in secrets:
        expected = _signature(text, secret, str(timestamp))
        if hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return True
    raise SignatureRejected("The message's signature does not match its content.")


def verify_request(
    body: bytes, signature: str, timestamp: str, secrets: Iterable[str], now: datetime
) -> None:
    """Check the signature of a webhook's request, which must have one.

    Args:
        body: as it was sent, before anything reads it.
        signature: header `x-port-signature`.
        timestamp: header `x-port-timestamp`, in seconds since 1970.
        secrets: client secrets to try, the current one first; read only as far as needed.
        now: the time. A request waits nowhere, so its timestamp must be near.

    Raises:
        SignatureRejected: a header is missing or malformed, or the signature is wrong or out of
            time.
    """
    if not _HEADER.fullmatch(signature):
        raise SignatureRejected("The request is not signed.")
    if abs(_signed_at(timestamp) - now) > TOLERANCE:
        raise SignatureRejected("The request was signed more than five minutes ago.")
    signed = timestamp.encode() + b"." + body
    for secret in secrets:
        if hmac.compare_digest(_digest(signed, secret), signature):
            return
    raise SignatureRejected("The request's signature does not fit it.")


def sign(body: str, secret: str, timestamp: int) -> str:
    """Return the signature header of an unsigned message.

    `headers` must already be in the message.
    """
    message = json.loads(body, parse_float=_Number, parse_int=_Number)
    return _signature(_stringify(message), secret, str(timestamp))


def _check_time(timestamp: str, record_time: datetime) -> None:
    signed_at = _signed_at(timestamp)
    if abs(signed_at - record_time) > TOLERANCE:
        raise SignatureRejected(
            f"The message was signed at {signed_at:%H:%M:%S}, "
            f"but its record is from {record_time:%H:%M:%S} UTC: more than five minutes apart."
        )


def _signed_at(timestamp: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise SignatureRejected("The message's timestamp is malformed.") from None


def _signature(text: str, secret: str, timestamp: str) -> str:
    return _digest(f"{timestamp}.{text}".encode("utf-8", "surrogatepass"), secret)


def _digest(signed: bytes, secret: str) -> str:
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _stringify(value: Any) -> str:
    """Serialise as `JSON.stringify` does: no spaces, minimal escapes."""
    if isinstance(value, dict):
        members = (f"{_stringify(str(key))}:{_stringify(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_stringify, value)) + "]"
    if isinstance(value, _Number):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _dig(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
