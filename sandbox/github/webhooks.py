"""Delivers events to webhooks, signed as GitHub signs them.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hashlib
import hmac
import json
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import select

from sandbox.github.server import Event, Server
from sandbox.github.store import Delivery, Hook

TIMEOUT_SECONDS = 10
_log = logging.getLogger(__name__)


class Webhooks:
    """Listens to a server's events.

    Args:
        server: whose events; also keeps what was delivered.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        # One thread: a hook gets its events in their order.
        self._pool = ThreadPoolExecutor(1, "webhooks")

    def tell(self, event: Event) -> None:
        """Queue an event for every hook that wants it."""
        with self._server.store.read() as session:
            hooks = session.scalars(select(Hook).filter_by(repo_id=event.repo_id, active=True))
            wanted = [(hook.id, dict(hook.config)) for hook in hooks if _wants(hook, event)]
        for hook_id, config in wanted:
            self._pool.submit(self._deliver, hook_id, config, event)

    def stop(self) -> None:
        """Drop what is queued and wait for what is being sent."""
        self._pool.shutdown(cancel_futures=True)

    def _deliver(self, hook_id: int, config: dict[str, Any], event: Event) -> None:
        text = json.dumps(event.payload)
        form = config.get("content_type") == "form"
        body = urlencode({"payload": text}).encode() if form else text.encode()
        guid = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": event.name,
            "X-GitHub-Delivery": guid,
            "X-GitHub-Hook-ID": str(hook_id),
        }
        if secret := config.get("secret"):
            digest = hmac.new(str(secret).encode(), body, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature-256"] = f"sha256={digest}"
        started = time.monotonic()
        try:
            answer = httpx.post(
                config["url"], content=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
            code, status, response = answer.status_code, answer.reason_phrase, answer.text[:10_000]
        except httpx.HTTPError as error:
            code, status, response = 502, "failed to connect", str(error)
            _log.warning(
                "webhook %s: %s to %s failed: %s", hook_id, event.name, config["url"], error
            )
        with self._server.store.write() as session:
            session.add(
                Delivery(
                    hook_id=hook_id,
                    guid=guid,
                    event=event.name,
                    action=event.action,
                    status_code=code,
                    status=status,
                    duration=round(time.monotonic() - started, 3),
                    request={"headers": headers, "payload": event.payload},
                    response={"payload": response},
                )
            )
            session.commit()


def _wants(hook: Hook, event: Event) -> bool:
    if event.name == "ping":
        return bool(event.payload["hook_id"] == hook.id)
    return event.name in hook.events or "*" in hook.events
