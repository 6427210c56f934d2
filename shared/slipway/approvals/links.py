"""Make and read personal approval links.

A link is signed and valid for one request and one approver, until the request expires.

A link is used up by its vote: a person cannot vote twice on one request. Opening it changes
nothing, so mail scanners are harmless.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.errors import LinkRejected

_LONGEST = 2000


@dataclass(frozen=True)
class Link:
    """The content of a link.

    Attributes:
        approval_id: the request.
        approver: e-mail address of its recipient.
        expires_at: end of its validity, in UTC.
    """

    approval_id: str
    approver: str
    expires_at: datetime


def sign(link: Link, key: str) -> str:
    """Make a token: base64url of content, full stop, base64url of signature."""
    content = json.dumps(
        {"a": link.approval_id, "e": link.approver, "x": int(link.expires_at.timestamp())},
        separators=(",", ":"),
    )
    body = _encode(content.encode())
    return f"{body}.{_encode(_signature(body, key))}"


def read(token: str, keys: Iterable[str], now: datetime) -> Link:
    """Read a token.

    Args:
        token: from the address.
        keys: possible signing keys; read only as far as needed.
        now: the time, in UTC.

    Raises:
        LinkRejected: incomplete, changed, or expired.
    """
    body, _, signature = token[:_LONGEST].partition(".")
    try:
        given = _decode(signature)
        if not any(hmac.compare_digest(given, _signature(body, key)) for key in keys):
            raise ValueError("signature")
        content = json.loads(_decode(body))
        link = Link(content["a"], content["e"], datetime.fromtimestamp(content["x"], UTC))
    except (ValueError, KeyError, TypeError):
        raise LinkRejected(
            "This link is not valid: it is incomplete or was changed. Open it again from the "
            "e-mail, or decide on the request's page in Port."
        ) from None
    if now >= link.expires_at:
        raise LinkRejected(
            "This link has expired with its request. Your decision was not recorded."
        )
    return link


def _signature(body: str, key: str) -> bytes:
    return hmac.digest(key.encode(), b"approval-link." + body.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    # Strict: lenient decoders accept several spellings of the same bytes, but only one is a valid
    # link.
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical")
    return data
