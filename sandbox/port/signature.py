"""JSON as JavaScript writes it, and Port's signature over it.

Port is a Node.js program: what it signs is `JSON.stringify(message)`, and a consumer in another
language must get the same text again.
"""

import base64
import hashlib
import hmac
import json
import math
import re
from decimal import Decimal
from typing import Any

_SAFE_INTEGER = 2**53
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def stringify(value: Any) -> str:
    """`JSON.stringify(value)`: no spaces, keys in their order, non-ASCII as it is."""
    if isinstance(value, dict):
        pairs = (f"{_string(str(key))}:{stringify(item)}" for key, item in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(stringify, value)) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return js_number(value)
    return _string(value)


def _string(text: str) -> str:
    # Lone surrogates are escaped: https://tc39.es/ecma262/#sec-quotejsonstring
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def js_number(value: float) -> str:
    """Return a number as JavaScript writes it.

    https://tc39.es/ecma262/#sec-numeric-types-number-tostring
    """
    if isinstance(value, int) and abs(value) <= _SAFE_INTEGER:
        return str(value)
    number = float(str(value))  # infinity for an int that is too large
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else "null"
    # Both languages choose the shortest digits that read back as the same number.
    negative, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text = "".join(map(str, digits))
    return ("-" if negative else "") + _place_point(text, len(text) + int(exponent))


def _place_point(digits: str, point: int) -> str:
    """Write 0.`digits` times ten to the power of `point`."""
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def sign(message: dict[str, Any], secret: str, epoch_seconds: int) -> dict[str, Any]:
    """Return the message with Port's two signature headers inside its body.

    Args:
        message: the message to send; its `headers` are kept.
        secret: the organisation's client secret.
        epoch_seconds: the time of signing.
    """
    headers = dict(message.get("headers") or {})
    unsigned = stringify({**message, "headers": headers})
    headers["X-Port-Signature"] = _signature(unsigned.encode(), secret, epoch_seconds)
    headers["X-Port-Timestamp"] = epoch_seconds
    return {**message, "headers": headers}


def request_headers(body: bytes, secret: str, epoch_seconds: int) -> dict[str, str]:
    """The two headers of a webhook's request, whose signature covers the body as it is sent."""
    signature = _signature(body, secret, epoch_seconds)
    return {"x-port-timestamp": str(epoch_seconds), "x-port-signature": signature}


def _signature(text: bytes, secret: str, epoch_seconds: int) -> str:
    digest = hmac.digest(secret.encode(), f"{epoch_seconds}.".encode() + text, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
