"""Decide which requests a server of the sandbox answers.

Every web page that a browser shows may send requests to 127.0.0.1. By DNS rebinding, where the
page's own host name comes to mean 127.0.0.1, it may read the answers, too. What the browser
cannot be made to change are `Host`, `Origin` and `Sec-Fetch-*`:
https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/
"""

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ADDRESS = "127.0.0.1"
VARIABLE = "SANDBOX_TOKEN"
HEADER = "X-Sandbox-Token"
_OWN = "/_sandbox/"
# What the pages ask; they sign in as a person.
_OF_PAGES = "/_sandbox/portal/"


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: HTTPStatus
    text: str

    def body(self) -> dict[str, str]:
        """Return the answer's JSON."""
        return {"message": self.text}


@dataclass(frozen=True)
class Guard:
    """The rules of one server.

    Attributes:
        port: the TCP port that it listens on, at 127.0.0.1.
        token: what `/_sandbox/…` asks for; by default one that is not given to any client.
        pages: pattern of the paths that a link on another site may open in a browser.
        forms: pattern of the paths to which a form on another site may lead a person.
    """

    port: int
    token: str = field(default_factory=secrets.token_urlsafe)
    pages: str = "(?!)"
    forms: str = "(?!)"

    def refusal(self, method: str, path: str, header: Callable[[str], list[str]]) -> Refusal | None:
        """Return why not to answer a request, or None.

        Args:
            method: of HTTP.
            path: decoded, without the query.
            header: gives all values of a header.
        """
        host = f"{ADDRESS}:{self.port}"
        if header("Host") != [host]:
            text = f"This server answers requests to Host {host} only. Open http://{host}"
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, text)
        if not self._is_same_origin(host, header) and not self._opens_page(method, path, header):
            text = f"Pages of another origin than http://{host} may not send this request."
            return Refusal(HTTPStatus.FORBIDDEN, text)
        # As routers may read it: a doubled slash must not lead around the token.
        own = re.sub("/+", "/", path)
        if own.startswith(_OWN) and not own.startswith(_OF_PAGES) and not self._knows(header):
            text = f"Send the token of the sandbox's env file ({VARIABLE}) as header {HEADER}."
            return Refusal(HTTPStatus.UNAUTHORIZED, text)
        return None

    @staticmethod
    def _is_same_origin(host: str, header: Callable[[str], list[str]]) -> bool:
        site = header("Sec-Fetch-Site")
        # Without a referrer, browsers send the origin "null" for a form's own page, too.
        own = {f"http://{host}"} | ({"null"} if site == ["same-origin"] else set())
        return set(header("Origin")) <= own and set(site) <= {"same-origin", "none"}

    def _opens_page(self, method: str, path: str, header: Callable[[str], list[str]]) -> bool:
        """Return whether a person follows a link or a form to a page.

        The other site cannot read that page.
        """
        opened = header("Sec-Fetch-Mode") == ["navigate"], header("Sec-Fetch-Dest") == ["document"]
        linked = method == "GET" and not header("Origin") and re.match(self.pages, path)
        led = method == "POST" and re.fullmatch(self.forms, path)
        return all(opened) and bool(linked or led)

    def _knows(self, header: Callable[[str], list[str]]) -> bool:
        given = header(HEADER)
        return len(given) == 1 and secrets.compare_digest(given[0].encode(), self.token.encode())


def take_token() -> str:
    """Return and remove the token in the environment.

    Child processes do not need it.

    Raises:
        SystemExit: there is none.
    """
    token = os.environ.pop(VARIABLE, "")
    if len(token) < 16:
        raise SystemExit(f"{VARIABLE} must be set, to at least 16 characters.")
    return token


class Guarded:
    """An ASGI application behind a guard.

    Args:
        app: the application.
        guard: its rules.
    """

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # None of the servers has one.
            await send({"type": "websocket.close", "code": 1008})
        elif refusal := self._guard.refusal(
            scope["method"], scope["path"], Headers(scope=scope).getlist
        ):
            await JSONResponse(refusal.body(), refusal.status)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
