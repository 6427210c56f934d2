"""Faults that are planned for the stand-ins of Port and GitHub, and what was asked of them.

An application keeps them as `app.state.faults` and `app.state.requests` and includes `router`. Its
outermost layer calls `Faults.take`, `Fault.carry_out` and `RequestLog.add` for each request.
"""

import json
import re
import threading
from collections import deque
from typing import Any, Literal

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEMORY = 10_000
router = APIRouter(prefix="/_sandbox")


class Fault(BaseModel):
    """How the next requests that match are answered wrongly.

    Attributes:
        method: regular expression for the method, matched whole.
        path: regular expression, searched in the path (without the query).
        field: a mutation of GraphQL, which alone fails: the rest of its document goes on.
        skip: how many matching requests pass first.
        times: how many meet the fault then.
        when: `before` anything is done, or `after`: the request is executed and its answer lost.
        delay_seconds: wait so long first; with no `status` and no `reset` the answer is genuine.
        hold: wait first until the faults are cleared, so that a test can act in between.
        status: answer with this status, `body` and `headers`.
        body: JSON, or a text as it stands; by default what the server says to an error.
        reset: cut the connection instead of answering.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = ".*"
    path: str = ".*"
    field: str = ""
    skip: int = Field(0, ge=0)
    times: int = Field(1, ge=1)
    when: Literal["before", "after"] = "before"
    delay_seconds: float = Field(0, ge=0)
    hold: bool = False
    status: int | None = Field(None, ge=200, le=599)
    body: Any = None
    headers: dict[str, str] = {}
    reset: bool = False
    _cleared: threading.Event = PrivateAttr(default_factory=threading.Event)

    @field_validator("method", "path")
    @classmethod
    def _is_expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return pattern

    def until(self, cleared: threading.Event) -> None:
        """Say what ends a `hold`."""
        self._cleared = cleared

    def meets(self, method: str, path: str, field: str) -> bool:
        """Return whether the fault is about a request, or about a field of its document."""
        return (
            re.fullmatch(self.method, method) is not None
            and re.search(self.path, path) is not None
            and self.field == field
        )

    async def carry_out(
        self, app: ASGIApp, scope: Scope, receive: Receive, answer: Send, send: Send, body: object
    ) -> None:
        """Answer a request as the fault says.

        Args:
            app: carries the request out.
            scope: of the request.
            receive: gives its body.
            answer: sends an answer, with what the server adds to each.
            send: uvicorn's own, which knows the connection.
            body: what the server says to an error, if the fault does not say it.
        """
        await anyio.sleep(self.delay_seconds)
        if self.hold:
            await anyio.to_thread.run_sync(self._cleared.wait)
        is_genuine = self.status is None and not self.reset
        if self.when == "after" or is_genuine:
            await app(scope, receive, answer if is_genuine else _discard)
        if self.reset:
            await _cut(send)
        elif self.status is not None:
            given = body if self.body is None else self.body
            await reply(answer, self.status, given, self.headers)


class Faults:
    """The faults that are still to happen. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        # Shared with every fault that is planned until the next `clear`, used up or not.
        self._cleared = threading.Event()

    def add(self, fault: Fault) -> None:
        """Plan a fault; earlier ones go first."""
        with self._lock:
            fault.until(self._cleared)
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults, and release the requests that they delay."""
        with self._lock:
            self._faults.clear()
            self._cleared.set()
            self._cleared = threading.Event()

    def pending(self) -> list[dict[str, Any]]:
        """Return what is still to happen."""
        with self._lock:
            return [fault.model_dump() for fault in self._faults]

    def take(self, method: str, path: str, field: str = "") -> Fault | None:
        """Return and use up the fault of this request, or of a field of it."""
        with self._lock:
            for fault in self._faults:
                if not fault.meets(method, path, field):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                return fault
        return None


class RequestLog:
    """The last requests, oldest first. Thread-safe: `deque` is."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=MEMORY)

    def add(self, method: str, path: str, actor: str, status: int) -> None:
        """Remember a request; `status` 0: the connection was cut."""
        self._entries.append({"method": method, "path": path, "actor": actor, "status": status})

    def entries(self) -> list[dict[str, Any]]:
        """Return all that is remembered."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()


@router.post("/faults", status_code=201)
def add_fault(request: Request, fault: Fault) -> dict[str, Any]:
    """Plan a fault."""
    request.app.state.faults.add(fault)
    return list_faults(request)


@router.get("/faults")
def list_faults(request: Request) -> dict[str, Any]:
    """Show the faults that are still to happen."""
    return {"pending": request.app.state.faults.pending()}


@router.delete("/faults", status_code=204)
def clear_faults(request: Request) -> Response:
    """Forget planned faults."""
    request.app.state.faults.clear()
    return Response(status_code=204)


@router.get("/requests")
def list_requests(request: Request) -> list[dict[str, Any]]:
    """Show the last requests, oldest first."""
    entries: list[dict[str, Any]] = request.app.state.requests.entries()
    return entries


@router.delete("/requests", status_code=204)
def clear_requests(request: Request) -> Response:
    """Forget the requests."""
    request.app.state.requests.clear()
    return Response(status_code=204)


async def reply(send: Send, status: int, body: object, headers: dict[str, str]) -> None:
    """Send an answer: a text as it stands, anything else as JSON."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = {
        "content-type": "application/json; charset=utf-8",
        "content-length": str(len(data)),
        **{name.lower(): value for name, value in headers.items()},
    }
    raw = [(name.encode(), value.encode()) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": data})


async def _discard(_message: Message) -> None:
    """Lose a part of an answer."""


async def _cut(send: Send) -> None:
    """Drop the TCP connection: ASGI has no word for it, uvicorn's request cycle holds it."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("this ASGI server does not give its connection away")
    transport.abort()
    await anyio.sleep(0.01)
