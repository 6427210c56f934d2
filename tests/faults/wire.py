"""Intercept every call that leaves the process, in botocore, urllib3 and urllib.

The tests list no calls, so new calls of the product are counted and receive faults too.
"""

import io
import json
import re
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import StrEnum
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

import pytest
import requests
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.exceptions import ReadTimeoutError as AwsReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.models import botocore_stubber
from urllib3.connectionpool import HTTPConnectionPool


class Killed(BaseException):
    """The process was killed: the product cannot catch this, and makes no further call."""


class Kind(StrEnum):
    """What happens to a call."""

    KILLED_BEFORE = "killed before the call"
    KILLED_AFTER = "killed after the call"
    LOST = "answer lost"
    RESET = "connection reset"
    THROTTLED = "429"
    THROTTLED_UNTIL = "429 with Retry-After"
    ERROR_500 = "500"
    ERROR_502 = "502"
    ERROR_503 = "503"
    STALE = "stale read"


STATUS = {
    Kind.THROTTLED: 429,
    Kind.THROTTLED_UNTIL: 429,
    Kind.ERROR_500: 500,
    Kind.ERROR_502: 502,
    Kind.ERROR_503: 503,
}
# These faults also exist as lasting ones, which stay until the invocation gives up. After a fault
# that happens once, the client's own retry succeeds.
_LASTING = (Kind.LOST, Kind.RESET, *STATUS)
# A lasting fault outlasts any function, so the work has to continue in a later invocation.
RETRY_AFTER = {False: 2, True: 1800}


@dataclass(frozen=True)
class Fault:
    """A fault, which happens once or lasts until the invocation has given up."""

    kind: Kind
    lasting: bool = False

    def __str__(self) -> str:
        return f"{self.kind}, lasting" if self.lasting else str(self.kind)

    @property
    def slug(self) -> str:
        """The same as one word for a command line."""
        return str(self).replace(", ", "_").replace(" ", "_")


FAULTS = (
    *(Fault(kind) for kind in Kind),
    *(Fault(kind, lasting=True) for kind in _LASTING),
)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        service: Port, GitHub, or AWS's name of a service.
        what: method and path, or AWS's name of an operation.
        writes: whether it may change something.
        status: the run's status that it writes, if it does.
        place: which call of which piece of work it is, independent of names.
        may_be_stale: whether its answer may be older than the last write. False for consistent
            reads (DynamoDB on request, S3 always) and for commits, which never change.
        repeat: sends the same request again with other names, for stale reads.
    """

    service: str
    what: str
    writes: bool
    may_be_stale: bool = field(compare=False)
    repeat: Callable[[dict[str, str]], Answer] = field(compare=False, repr=False)
    status: str | None = field(default=None, compare=False)
    place: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.service} {self.what}"


@dataclass
class _Process:
    """An invocation of the product.

    Attributes:
        work: what it works on.
        down: service, or one call of it → the fault that affects it from now on.
        met: how often each call was made.
        dead: whether it was killed.
    """

    work: str
    down: dict[str, Fault]
    met: Counter[Call] = field(default_factory=Counter)
    dead: bool = False


class Wire:
    """Pass the product's calls on, count them, and inject a fault into one.

    Other calls (of people, state machines and the tests) pass without being counted.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.services: dict[str, str] = {}
        self.on_call: Callable[[Call], None] = lambda _call: None
        # Completes the task that waits for a token; returns whether there was one.
        self.on_token: Callable[[str, Any], bool] = lambda _token, _output: False
        # Accepts an asynchronous invocation: a function's ARN and an event.
        self.on_event: Callable[[str, Any], None] = lambda _arn, _event: None
        # Whether a process does one thing at a time, so that its calls have one order.
        self.in_order = True
        # One process per thread; calls of a thread without one are not the product's.
        self._here = threading.local()
        self.reset()
        self._patch(monkeypatch)
        self._patch_threads(monkeypatch)

    def reset(self) -> None:
        """Forget the calls and the fault."""
        # All calls, and those that a fault may meet.
        self.everything: list[Call] = []
        self.calls: list[Call] = []
        self.fault: Fault | None = None
        self.at = -1
        self.names: Callable[[], dict[str, str]] = dict
        self.stale: Call | None = None
        self.stale_before = -1
        self._old: Answer | None = None
        self.counts = True
        # Services or calls that are unavailable, in addition to this case's fault.
        self.given: dict[str, Fault] = {}

    @contextmanager
    def invocation(self, work: str) -> Iterator[None]:
        """Count calls as those of one process of the product, which does `work`."""
        self._here.process = _Process(work, dict(self.given))
        try:
            yield
        finally:
            self._here.process = None

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Pass calls on without counting them: they are not the product's."""
        before, self._here.process = self._process, None
        try:
            yield
        finally:
            self._here.process = before

    @property
    def _process(self) -> _Process | None:
        return getattr(self._here, "process", None)

    def pass_on[T](
        self,
        call: Callable[[], Call],
        perform: Callable[[], T],
        *,
        answer: Callable[[Answer], T],
        drain: Callable[[T], object],
        fail: Callable[[Kind], Exception],
    ) -> T:
        """Pass a call on, or inject a fault into it.

        Args:
            call: describes it.
            perform: sends it.
            answer: makes a response of the client's library.
            drain: reads a response completely, so that the server has sent all of it.
            fail: makes the library's error for a lost response or a connection reset.
        """
        process = self._process
        if process is None:
            return perform()
        if process.dead:
            raise Killed
        made = call()
        process.met[made] += 1
        made = replace(made, place=f"{process.work}: {made} ({process.met[made]})")
        try:
            self.on_call(made)
        except Killed:
            process.dead = True
            raise
        self.everything.append(made)
        if not self.counts:
            return perform()
        index = len(self.calls)
        self.calls.append(made)
        if index == self.stale_before and self.stale:
            with self.unseen():
                self._old = self.stale.repeat(self.names())
        first = index == self.at
        down = process.down.get(made.service) or process.down.get(str(made))
        fault = self.fault if first else down
        if fault is None:
            return perform()
        if fault.lasting:
            process.down[made.service] = fault
        process.dead = fault.kind in {Kind.KILLED_BEFORE, Kind.KILLED_AFTER}

        def refused() -> T:
            assert down is not None
            return self._inject(down, made, perform, answer, drain, fail, first=False)

        # A service that is down also refuses a call whose process is killed or answer is lost.
        send = refused if first and down else perform
        return self._inject(fault, made, send, answer, drain, fail, first=first)

    def _inject[T](
        self,
        fault: Fault,
        call: Call,
        perform: Callable[[], T],
        answer: Callable[[Answer], T],
        drain: Callable[[T], object],
        fail: Callable[[Kind], Exception],
        *,
        first: bool,
    ) -> T:
        match fault.kind:
            case Kind.KILLED_BEFORE | Kind.KILLED_AFTER:
                if fault.kind is Kind.KILLED_AFTER:
                    drain(perform())
                raise Killed
            case Kind.STALE:
                assert self._old, f"{call}: nothing older is known"
                return answer(self._old)
            case Kind.RESET:
                raise fail(fault.kind)
            case Kind.LOST:
                if first:
                    # urllib raises an error status as an exception, but it is an answer too.
                    with suppress(HTTPError):
                        drain(perform())
                raise fail(fault.kind)
        headers = {"Content-Type": "application/json"}
        if fault.kind is Kind.THROTTLED_UNTIL:
            headers["Retry-After"] = str(RETRY_AFTER[fault.lasting])
        return answer(Answer(STATUS[fault.kind], headers, b'{"message": "injected by the test"}'))

    # -- the three libraries

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        aws, http, plain = (
            BotocoreStubber.__call__,
            HTTPConnectionPool._make_request,
            urllib.request.OpenerDirector.open,
        )

        def from_aws(
            stubber: Any, event_name: str, request: AWSPreparedRequest, **more: Any
        ) -> AWSResponse | None:
            def send() -> AWSResponse:
                if event_name.endswith(".SendTaskSuccess"):
                    return self._send_task_success(request)
                if event_name.endswith(".lambda.Invoke"):
                    arn = unquote(urlsplit(request.url).path.split("/")[3])
                    self.on_event(arn, json.loads(_text(request.body)))
                    return _aws_response(request.url, 202, {}, "")
                answer = aws(stubber, event_name, request, **more)
                assert answer is not None
                return answer

            return self.pass_on(
                lambda: _aws_call(event_name, request),
                send,
                answer=lambda said: _aws_answer(request, said),
                drain=lambda answer: answer.content,
                fail=lambda kind: (
                    AwsReadTimeoutError(endpoint_url=request.url)
                    if kind is Kind.LOST
                    else ConnectionClosedError(endpoint_url=request.url)
                ),
            )

        def from_urllib3(
            pool: HTTPConnectionPool, conn: Any, method: str, url: str, *args: Any, **more: Any
        ) -> Any:
            address = f"http://{pool.host}:{pool.port}{url}"
            return self.pass_on(
                lambda: self._http_call(method, address, more.get("body"), more.get("headers")),
                lambda: http(pool, conn, method, url, *args, **more),
                answer=lambda said: _http_answer(pool, method, url, said, more),
                drain=lambda response: response.read(),
                fail=lambda kind: (
                    urllib3.exceptions.ReadTimeoutError(pool, url, "lost by the test")
                    if kind is Kind.LOST
                    else ConnectionResetError(104, "reset by the test")
                ),
            )

        def from_urllib(opener: Any, request: Any, data: Any = None, timeout: Any = None) -> Any:
            return self.pass_on(
                lambda: self._http_call(
                    request.get_method(), request.full_url, request.data, request.headers
                ),
                lambda: plain(opener, request, data, timeout),
                answer=lambda said: _urllib_answer(request.full_url, said),
                drain=lambda response: response.read(),
                fail=lambda kind: (
                    TimeoutError("lost by the test")
                    if kind is Kind.LOST
                    else ConnectionResetError(104, "reset by the test")
                ),
            )

        monkeypatch.setattr(BotocoreStubber, "__call__", from_aws)
        monkeypatch.setattr(HTTPConnectionPool, "_make_request", from_urllib3)
        monkeypatch.setattr(urllib.request.OpenerDirector, "open", from_urllib)

    def _patch_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        submit = ThreadPoolExecutor.submit

        def in_order[T](
            pool: ThreadPoolExecutor, act: Callable[..., T], *args: Any, **more: Any
        ) -> Future[T]:
            """Run tasks one after the other, so that a case repeats its calls in order."""
            process = self._process
            if process is None:
                return submit(pool, act, *args, **more)
            if not self.in_order:

                def beside() -> T:
                    self._here.process = process
                    return act(*args, **more)

                return submit(pool, beside)
            done = Future[T]()
            try:
                done.set_result(act(*args, **more))
            except Exception as error:  # noqa: BLE001 - the future raises it
                done.set_exception(error)
            return done

        monkeypatch.setattr(ThreadPoolExecutor, "submit", in_order)

    def _send_task_success(self, request: AWSPreparedRequest) -> AWSResponse:
        """Answer `SendTaskSuccess`, which moto lacks."""
        asked = json.loads(_text(request.body))
        if self.on_token(asked["taskToken"], json.loads(asked["output"])):
            return _aws_response(request.url, 200, {}, "{}")
        gone = json.dumps({"__type": "TaskTimedOut", "message": "The task does not wait any more"})
        return _aws_response(request.url, 400, {}, gone)

    def _http_call(self, method: str, address: str, body: Any, headers: Any) -> Call:
        parts = urlsplit(address)
        service = self.services.get(parts.netloc, parts.netloc)
        sent = body.encode() if isinstance(body, str) else body
        said = json.loads(sent) if sent and sent[:1] == b"{" else {}
        # Searches and queries change nothing, but have a body.
        asks = parts.path.endswith("/search") or str(said.get("query")).lstrip().startswith("query")
        writes = method not in {"GET", "HEAD"} and not asks

        def repeat(names: dict[str, str]) -> Answer:
            # A separate session leaves the connection of the request alone.
            with requests.Session() as session:
                session.trust_env = False
                kept = {k: v for k, v in dict(headers or {}).items() if k != "Content-Length"}
                found = session.request(
                    method,
                    renamed(address, names),
                    data=renamed((sent or b"").decode(), names).encode() or None,
                    headers=kept,
                    timeout=300,
                    allow_redirects=False,
                )
            return Answer(
                found.status_code,
                {"Content-Type": found.headers.get("Content-Type", "")},
                found.content,
            )

        operation = re.match(r"\s*\w+ (\w+)", str(said.get("query", "")))
        what = f"{method} {parts.path}" + (f" {operation[1]}" if operation else "")
        status = said.get("status") if "/actions/runs/" in parts.path else None
        may_be_stale = not writes and not _SHA.search(address)
        return Call(service, what, writes, may_be_stale, repeat, status)


def renamed(text: str, names: dict[str, str]) -> str:
    """Replace names in a text."""
    either = "|".join(re.escape(name) for name in names)
    # A number must not match the beginning of a longer one.
    return re.sub(f"(?:{either})(?![0-9])", lambda found: names[found[0]], text)


_SHA = re.compile(r"\b[0-9a-f]{40}\b")
_READS = ("Get", "Describe", "List", "Head", "Query", "Scan", "BatchGet")


def _aws_call(event_name: str, request: AWSPreparedRequest) -> Call:
    _, service, operation = event_name.split(".")
    # The body of an S3 request may be a stream, which can be read only once.
    text = "" if service == "s3" else _text(request.body)
    target = ""
    if service == "dynamodb":
        target = f" {json.loads(text)['TableName']}"
    elif service == "s3":
        target = f" {urlsplit(request.url).path}"
    reads = operation.startswith(_READS)
    consistent = service == "s3" or '"ConsistentRead": true' in text

    def repeat(names: dict[str, str]) -> Answer:
        again = AWSPreparedRequest(
            request.method,
            renamed(request.url, names),
            request.headers,
            renamed(text, names).encode(),
            request.stream_output,
        )
        found = botocore_stubber(event_name, again)
        assert found is not None
        return Answer(found.status_code, dict(found.headers), found.content)

    return Call(service, f"{operation}{target}", not reads, reads and not consistent, repeat)


def _text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")


def _aws_response(url: str, status: int, headers: dict[str, str], body: str | bytes) -> AWSResponse:
    raw = MockRawResponse(body)
    return AWSResponse(url, status, headers, raw)  # type: ignore[arg-type]  # reads like urllib3's


def _aws_answer(request: AWSPreparedRequest, said: Answer) -> AWSResponse:
    body, headers = said.body, dict(said.headers)
    if said.status in STATUS.values():
        code = {429: "ThrottlingException"}.get(said.status, "InternalServerError")
        if "X-Amz-Target" in request.headers:
            body = json.dumps({"__type": code, "message": "injected by the test"}).encode()
            headers["Content-Type"] = "application/x-amz-json-1.0"
        else:
            error = f"<Error><Code>{code}</Code><Message>injected by the test</Message></Error>"
            # S3 sends the error alone; the older query protocol (SNS) wraps it in an envelope.
            envelope = "sns" in request.url
            body = (f"<ErrorResponse>{error}</ErrorResponse>" if envelope else error).encode()
            headers["Content-Type"] = "text/xml"
    return _aws_response(request.url, said.status, headers, body)


def _http_answer(
    pool: HTTPConnectionPool, method: str, url: str, said: Answer, asked: dict[str, Any]
) -> urllib3.HTTPResponse:
    connection = asked.get("response_conn")
    return urllib3.HTTPResponse(
        io.BytesIO(said.body),
        headers=said.headers,
        status=said.status,
        preload_content=asked.get("preload_content", True),
        decode_content=asked.get("decode_content", True),
        pool=pool,
        connection=connection,
        retries=asked.get("retries"),
        request_method=method,
        request_url=url,
    )


def _urllib_answer(url: str, said: Answer) -> Any:
    if said.status < 400:
        return io.BytesIO(said.body)
    headers = Message()
    for name, value in said.headers.items():
        headers[name] = value
    raise HTTPError(url, said.status, "injected by the test", headers, io.BytesIO(said.body))
