"""Personal approval links: signed, for one request and one approver, valid until it expires.

A link is used up by the vote that it casts: nobody votes twice on one request. Fetching it changes
nothing, so that a mail scanner can do no harm.
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
    """What a link says.

    Attributes:
        approval_id: the request.
        approver: e-mail address of the person that it was sent to.
        expires_at: until when it can be used, in UTC.
    """

    approval_id: str
    approver: str
    expires_at: datetime


def sign(link: Link, key: str) -> str:
    """Make the link's token: base64url of its content, a full stop, base64url of the signature."""
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
        keys: that may have signed it; read only as far as needed.
        now: the time, in UTC.

    Raises:
        LinkRejected: cut off, changed, or too old.
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
            "message, or decide on the request's page in Port."
        ) from None
    if now >= link.expires_at:
        raise LinkRejected(
            "This link is too old: the request that it was for has expired. Nothing was decided."
        )
    return link


def _signature(body: str, key: str) -> bytes:
    return hmac.digest(key.encode(), b"approval-link." + body.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    # Strict: of the spellings that lenient decoders take for the same bytes, only one is a link.
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical")
    return data
