"""Sign requests as Port does, by its published description and without Slipway's code.

https://docs.port.io/actions-and-automations/setup-backend/webhook/signature-verification
"""

import base64
import hashlib
import hmac
import time
from typing import Any

SECRET = "0123456789abcdef0123456789abcdefEXTRA"


def headers_of(body: bytes, timestamp: str, secret: str = SECRET) -> dict[str, str]:
    signed = timestamp.encode() + b"." + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return {
        "x-port-timestamp": timestamp,
        "x-port-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def signed_request(body: bytes, *, ago: float = 0, secret: str = SECRET) -> dict[str, Any]:
    """Make an API Gateway event of a request that Port signed some seconds ago."""
    timestamp = str(int(time.time() - ago))
    return {
        "httpMethod": "POST",
        "path": "/port/webhook",
        "headers": {"Content-Type": "application/json", **headers_of(body, timestamp, secret)},
        "body": body.decode(),
        "isBase64Encoded": False,
    }
