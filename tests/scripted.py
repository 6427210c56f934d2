"""Real HTTP servers for tests; one answers from a table and records its requests."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, Self

NO_ANSWER = 0
Answer = tuple[int, Any, dict[str, str]]


@dataclass(frozen=True)
class Request:
    """A request to the server: `route` is method and path, without the query."""

    route: str
    query: str
    body: Any
    headers: dict[str, str]


class LocalServer(HTTPServer):
    """Serves one request at a time at a free port of loopback."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._ended = False

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve until the block ends."""
        thread = Thread(target=self._serve)
        thread.start()
        try:
            yield self
        finally:
            self._ended = True
            # The thread waits for a connection, and `shutdown` would wait for the next poll.
            socket.create_connection(("127.0.0.1", self.server_port)).close()
            thread.join()
            self.server_close()

    def _serve(self) -> None:
        while not self._ended:
            self.handle_request()

    def verify_request(self, *_args: object) -> bool:
        return not self._ended


class ScriptedServer(LocalServer):
    """Answers `METHOD path` from its table, with a list of answers in order; the last repeats.

    A GraphQL document is also found by its operation, as `POST /graphql Look`.

    A route that is not in it is an object that Port does not have. The status `NO_ANSWER` closes
    the connection without an answer.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[Request] = []

    def script(self, route: str, *answers: Answer) -> None:
        """Set the answers of a route."""
        self.answers[route] = list(answers)

    def routes(self) -> list[str]:
        """Return the routes of the requests, in order."""
        return [request.route for request in self.requests]

    def bodies(self, route: str) -> list[Any]:
        """Return the bodies of the requests to a route, in order."""
        return [request.body for request in self.requests if request.route == route]


def _operation(body: Any) -> str:
    """Return the name of a GraphQL document's operation, or an empty text."""
    document = body.get("query") if isinstance(body, dict) else None
    found = re.match(r"\s*(?:query|mutation)\s+(\w+)", document or "")
    return found[1] if found else ""


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        route = f"{self.command} {path}"
        body = json.loads(text) if text else None
        self.server.requests.append(Request(route, query, body, dict(self.headers)))
        unknown = {"ok": False, "error": "not_found", "message": f"{route} unscripted"}
        known, operation = self.server.answers, _operation(body)
        answers = known.get(f"{route} {operation}") if operation else None
        answers = answers or known.get(route, [(404, unknown, {})])
        status, answer, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        self.close_connection = True
        if status == NO_ANSWER:
            return
        payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's name
        """Keep the tests' output quiet."""
