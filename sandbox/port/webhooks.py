"""Requests of WEBHOOK invocations: signed, sent once, and never repeated.

Port documents the headers and the signature, but no second attempt. Its reaction to a response is
not documented, so here the response does not change the run.
https://docs.port.io/actions-and-automations/setup-backend/webhook/
https://docs.port.io/actions-and-automations/setup-backend/webhook/signature-verification
"""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.port.outbox import PublishError
from sandbox.port.signature import request_headers

# Not documented; long enough for a cold start.
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Webhooks:
    """Sends requests.

    Attributes:
        secret: the organisation's client secret.
    """

    secret: str

    def send(self, request: dict[str, Any], body: bytes) -> None:
        """Send a request, once.

        Args:
            request: `url`, `method` and custom `headers`.
            body: what is signed and sent.

        Raises:
            PublishError: permanently: the backend could not be reached, or did not take it.
        """
        url = httpx.URL(request["url"])
        if url.host != "127.0.0.1":
            raise PublishError(f"The sandbox sends nothing to {url.host}.", permanent=True)
        headers = {
            **request["headers"],
            "Content-Type": "application/json",
            **request_headers(body, self.secret, int(time.time())),
        }
        try:
            with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                answer = client.request(request["method"], url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise PublishError(f"{url}: {error!r}", permanent=True) from error
        if not answer.is_success:
            text = f"{url} answered {answer.status_code}: {answer.text[:200]}"
            raise PublishError(text, permanent=True)
