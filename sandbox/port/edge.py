"""Handle every request before its route: limits, faults, trace id, log."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import Faults, RequestLog, reply
from sandbox.port.errors import PortApiError
from sandbox.port.settings import Settings

# https://docs.port.io/api-reference/rate-limits and the answers of the entities routes
MAX_BODY = 1024 * 1024
_PERIOD = 300
_LOG = logging.getLogger(__name__)


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
        requests: the log of requests.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        faults: Faults,
        requests: RequestLog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._settings = settings
        self._faults = faults
        self._requests = requests
        self._clock = clock
        self._windows: dict[tuple[str, bool], _Window] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["actor"], status = "", 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._serve(scope, receive, answer, send)
        finally:
            self._requests.add(scope["method"], path, state["actor"], status)

    async def _serve(self, scope: Scope, receive: Receive, answer: Send, send: Send) -> None:
        headers = {"x-trace-id": uuid.uuid4().hex}
        answer = _with_headers(answer, headers)
        body = await _read(receive)
        if body is None:
            limit = "Request body is too large (limit is 1MiB)"
            await _refuse(answer, PortApiError(413, "bad_request", limit))
            return
        headers |= self._count(scope, scope["path"])
        if int(headers["x-ratelimit-remaining"]) < 0:
            headers["x-ratelimit-remaining"] = "0"
            headers["retry-after"] = headers["x-ratelimit-reset"]
            await _refuse(answer, PortApiError(429, "too_many_requests", "Rate limit exceeded"))
            return
        receive = _replay(body, receive)
        fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._carry_out(scope, receive, answer)
            return
        error = PortApiError(fault.status or 500, "internal_error", "A fault of the sandbox")
        await fault.carry_out(self._carry_out, scope, receive, answer, send, error.body())

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
            await _refuse(send, PortApiError(500, "internal_error", "An internal error occurred"))

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
    """Return the request's body; None if it is larger than allowed."""
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
    """Return a `receive` that replays the body, then the server's messages."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    """Return a `send` that adds headers, as they are when the answer starts."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            names = {name for name, _ in added}
            kept = [pair for pair in message.get("headers", []) if pair[0] not in names]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return sending


async def _refuse(send: Send, error: PortApiError) -> None:
    await reply(send, error.status, error.body(), {})
