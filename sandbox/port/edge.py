"""What happens to every request before any route sees it: limits, faults, trace id."""

import asyncio
import json
import logging
import re
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.port.errors import PortApiError
from sandbox.port.properties import check_pattern
from sandbox.port.settings import Settings

# https://docs.port.io/api-reference/rate-limits and the answers of the entities routes
MAX_BODY = 1024 * 1024
_PERIOD = 300
_PAGE = b"<!doctype html><title>Gateway</title><p>This page is not Port's.</p>"
_LOG = logging.getLogger(__name__)


class Fault(BaseModel):
    """What the next matching requests get instead of, or after, being carried out.

    Attributes:
        method: HTTP method; any if it is not given.
        path: regular expression that is searched in the path.
        count: how many requests it still holds for.
        skip: how many matching requests pass before.
        status: HTTP status of the answer; without it the request is only delayed.
        error: Port's error code in the answer.
        html: answer with a web page instead, as a gateway before Port does.
        headers: of the answer.
        delay: seconds before the answer.
        when: `after` carries the request out and then loses its answer.
    """

    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    path: str = "^/v1/"
    count: int = Field(1, ge=1)
    skip: int = Field(0, ge=0)
    status: int | None = Field(None, ge=200, le=599)
    error: str = "internal_error"
    html: bool = False
    headers: dict[str, str] = Field({})
    delay: float = Field(0, ge=0, le=120)
    when: Literal["before", "after"] = "before"

    @field_validator("path")
    @classmethod
    def _is_expression(cls, path: str) -> str:
        check_pattern(path)
        return path


@dataclass
class Faults:
    """The faults that are still to happen, and the last requests, oldest first."""

    pending: list[Fault] = field(default_factory=list)
    requests: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=1000))

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted down; each request gets one at most."""
        for fault in self.pending:
            if fault.method not in (None, method) or not re.search(fault.path, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.count -= 1
            if not fault.count:
                self.pending.remove(fault)
            return fault
        return None


@dataclass
class _Window:
    started: float
    used: int = 0


class Edge:
    """ASGI middleware around the application.

    Args:
        app: the application.
        settings: the rate limits.
        faults: what goes wrong on purpose.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        faults: Faults,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._settings = settings
        self._faults = faults
        self._clock = clock
        self._windows: dict[tuple[str, bool], _Window] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        self._faults.requests.append({"method": scope["method"], "path": path})
        headers = {"x-trace-id": uuid.uuid4().hex}
        reply = _with_headers(send, headers)
        body = await _read(receive)
        if body is None:
            limit = "Request body is too large (limit is 1MiB)"
            await _answer(reply, PortApiError(413, "bad_request", limit))
            return
        headers |= self._count(scope, path)
        if int(headers["x-ratelimit-remaining"]) < 0:
            headers["x-ratelimit-remaining"] = "0"
            headers["retry-after"] = headers["x-ratelimit-reset"]
            await _answer(reply, PortApiError(429, "too_many_requests", "Rate limit exceeded"))
            return
        await self._pass_on(scope, body, receive, reply)

    async def _pass_on(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._carry_out(scope, _replay(body, receive), send)
            return
        if fault.when == "after":
            await self._carry_out(scope, _replay(body, receive), _nowhere)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.status is not None and fault.html:
            await _send(_with_headers(send, fault.headers), fault.status, b"text/html", _PAGE)
        elif fault.status is not None:
            error = PortApiError(fault.status, fault.error, "A fault of the sandbox")
            await _answer(_with_headers(send, fault.headers), error)
        elif fault.when == "before":
            await self._carry_out(scope, _replay(body, receive), send)

    async def _carry_out(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            # The last place that can still answer in Port's shape and with a trace id.
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            await _answer(send, PortApiError(500, "internal_error", "An internal error occurred"))

    def _count(self, scope: Scope, path: str) -> dict[str, str]:
        """Count the request and give the `x-ratelimit-…` headers; remaining may be negative."""
        credential = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        about_entities = "/entities" in path
        limit = self._settings.entities_rate_limit if about_entities else self._settings.rate_limit
        now = self._clock()
        window = self._windows.get((credential, about_entities))
        if window is None or now - window.started >= _PERIOD:
            window = self._windows[credential, about_entities] = _Window(now)
        window.used += 1
        return {
            "x-ratelimit-period": str(_PERIOD),
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(limit - window.used),
            "x-ratelimit-reset": str(max(1, round(_PERIOD - (now - window.started)))),
        }


async def _read(receive: Receive) -> bytes | None:
    """The request's body; None if it is larger than allowed."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then what the server has to say."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    """A `send` that adds headers, as they are when the answer starts."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            names = {name for name, _ in added}
            kept = [pair for pair in message.get("headers", []) if pair[0] not in names]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return sending


async def _nowhere(_message: Message) -> None:
    """Lose an answer."""


async def _answer(send: Send, error: PortApiError) -> None:
    text = json.dumps(error.body()).encode()
    await _send(send, error.status, b"application/json", text)


async def _send(send: Send, status: int, kind: bytes, text: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
