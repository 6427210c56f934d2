"""Wrap the server: faults, sign-in, rate limits, headers, request log.

It is plain ASGI around the application. Only there can it close a connection early, and add
GitHub's headers to every response, including those of unknown routes.
"""

import secrets
from typing import Any

import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import reply
from sandbox.github import urls
from sandbox.github.auth import ANONYMOUS, Actor, identify
from sandbox.github.errors import ApiError
from sandbox.github.server import Server

_UNCOUNTED = {f"{urls.API_PREFIX}/rate_limit"}


class Gateway:
    """Wraps the application.

    Args:
        app: the application.
        server: the state that the layers share.
    """

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event stream."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        urls.use(f"http://{headers.get('host', '127.0.0.1')}")
        # Neither is part of the API: a job's request for a token has a bearer of its own.
        if scope["path"].startswith(("/_sandbox/", "/_services/")):
            await self._app(scope, receive, send)
            return
        await self._serve(scope, receive, send, headers.get("authorization", ""))

    async def _serve(self, scope: Scope, receive: Receive, send: Send, authorization: str) -> None:
        method, path = scope["method"], scope["path"]
        state: dict[str, Any] = {"actor": ANONYMOUS, "status": 0}
        is_api = path.startswith("/api/")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                if is_api:
                    message["headers"] = [*message["headers"], *self._headers(state["actor"])]
            await send(message)

        fault = self._server.faults.take(method, path)
        try:
            try:
                state["actor"] = await anyio.to_thread.run_sync(self._identify, authorization)
                if is_api and path not in _UNCOUNTED:
                    self._server.limits.spend(state["actor"], method)
            except ApiError as error:
                await reply(answer, error.status, error.body, error.headers)
                return
            scope.setdefault("state", {})["actor"] = state["actor"]
            if fault is None:
                await self._app(scope, receive, answer)
            else:
                body = {"message": f"Sandbox fault {fault.status}"}
                await fault.carry_out(self._app, scope, receive, answer, send, body)
        finally:
            self._server.requests.add(method, path, state["actor"].login, state["status"])

    def _identify(self, authorization: str) -> Actor:
        with self._server.store.read() as session:
            return identify(session, authorization)

    def _headers(self, actor: Actor) -> list[tuple[bytes, bytes]]:
        headers = {
            **self._server.limits.headers(actor),
            "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
            "X-GitHub-Media-Type": "github.v3; format=json",
        }
        return [(name.encode(), value.encode()) for name, value in headers.items()]
