"""Lambda's Runtime API: what `awslambdaric` in a function's process talks to.

Paths, headers and bodies: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import logging
import re
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Literal

from sandbox.guard import Guard

LOG = logging.getLogger(__name__)

# A synchronous invocation's response: 6 MiB, and a little for the envelope.
MAX_RESPONSE_BYTES = 6_291_556

_PATH = re.compile(
    r"/2018-06-01/runtime/(?:(?P<next>invocation/next)|(?P<init>init/error)"
    r"|invocation/(?P<id>[^/]+)/(?P<outcome>response|error))"
)


@dataclass(frozen=True)
class Invocation:
    """One event on its way to the function.

    Attributes:
        request_id: Lambda's id of the invocation.
        function_arn: As it was invoked, with version or alias.
        trace_header: The value of `X-Amzn-Trace-Id`.
        deadline_ms: When it times out, in milliseconds since 1970.
        payload: The event, as JSON.
    """

    request_id: str
    function_arn: str
    trace_header: str
    deadline_ms: int
    payload: bytes


@dataclass(frozen=True)
class RuntimeEvent:
    """What a function's process did: said something over the Runtime API, or ended.

    Attributes:
        kind: `ready` is the first request for an invocation.
        request_id: Of the invocation that is answered.
        body: The response or the error, as JSON.
        exit_code: As `subprocess` has it: negative for a signal.
    """

    kind: Literal["ready", "init_error", "response", "error", "exit"]
    request_id: str = ""
    body: bytes = b""
    exit_code: int = 0


class RuntimeApi:
    """Serves one process of a function, on a port of its own on 127.0.0.1.

    Attributes:
        address: `host:port`, for AWS_LAMBDA_RUNTIME_API.
        events: What the process said, in order.
    """

    def __init__(self) -> None:
        self.events: Queue[RuntimeEvent] = Queue()
        self._invocations: Queue[Invocation | None] = Queue()
        self._server = _Server(("127.0.0.1", 0), self)
        self.address = f"127.0.0.1:{self._server.server_port}"
        # The interval bounds how long `close` takes.
        self._thread = Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name=f"runtime-api-{self._server.server_port}",
            daemon=True,
        )
        self._thread.start()

    def send(self, invocation: Invocation) -> None:
        """Hand `invocation` to the process when it next asks for one."""
        self._invocations.put(invocation)

    def take(self) -> Invocation | None:
        """Wait for an invocation; None when the API is closed."""
        return self._invocations.get()

    def close(self) -> None:
        """Answer nothing any more and free the port."""
        self._invocations.put(None)
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], api: RuntimeApi) -> None:
        super().__init__(address, _Handler)
        self.api = api
        self.asked = False
        self.guard = Guard(self.server_port)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def parse_request(self) -> bool:
        """Read the request line and the headers, and refuse what the function did not send."""
        if not super().parse_request():
            return False

        def header(name: str) -> list[str]:
            return self.headers.get_all(name, [])

        refusal = self.server.guard.refusal(self.command, self.path, header)
        if refusal:
            self.close_connection = True
            self._refuse(refusal.status, "Forbidden", refusal.text)
        return refusal is None

    def do_GET(self) -> None:  # the method's name is http.server's
        """Serve `invocation/next`: waits until there is an invocation."""
        match = _PATH.fullmatch(self.path)
        if match is None or not match["next"]:
            self._refuse(404, "InvalidPath", f"no such path: {self.path}")
            return
        api = self.server.api
        if not self.server.asked:
            self.server.asked = True
            api.events.put(RuntimeEvent("ready"))
        invocation = api.take()
        if invocation is None:
            self.close_connection = True
            return
        self._answer(
            200,
            invocation.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": invocation.trace_header,
            },
        )

    def do_POST(self) -> None:
        """Serve `init/error`, `invocation/<id>/response` and `invocation/<id>/error`."""
        body = self._body()
        match = _PATH.fullmatch(self.path)
        if match is None or match["next"]:
            self._refuse(404, "InvalidPath", f"no such path: {self.path}")
            return
        events = self.server.api.events
        if match["init"]:
            self._answer(202, b'{"status":"OK"}')
            events.put(RuntimeEvent("init_error", body=body))
        elif match["outcome"] == "error":
            events.put(RuntimeEvent("error", match["id"], body))
            self._answer(202, b'{"status":"OK"}')
        elif len(body) > MAX_RESPONSE_BYTES:
            message = (
                f"Response payload size ({len(body)} bytes) exceeded maximum allowed payload "
                f"size ({MAX_RESPONSE_BYTES} bytes)."
            )
            error_type = "Function.ResponseSizeTooLarge"
            events.put(RuntimeEvent("error", match["id"], error_body(message, error_type)))
            self._refuse(413, "RequestEntityTooLarge", message)
        else:
            events.put(RuntimeEvent("response", match["id"], body))
            self._answer(202, b'{"status":"OK"}')

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():  # trailers, up to the empty line
                pass
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _refuse(self, status: int, error_type: str, message: str) -> None:
        self._answer(status, error_body(message, error_type))

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        LOG.debug(format, *args)


def error_body(message: str, error_type: str) -> bytes:
    """Return an error in the shape that Lambda's service gives it: without a stack trace."""
    return json.dumps({"errorMessage": message, "errorType": error_type}).encode()
