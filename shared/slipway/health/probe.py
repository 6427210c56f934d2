"""Probe a health URL once over HTTP. The URL is untrusted input.

The name is looked up once, each of its addresses is checked, and the connection goes to a checked
address. The module uses `http.client` on its own socket. urllib3 and requests look up names
themselves, and limit the time of each read but not of all together.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import override
from urllib.parse import urlsplit

from slipway.health.addresses import ProbeLimits, forbidden
from slipway.health.finding import Answered, Failed, FailureKind, ProbeResult, shown
from slipway.urls import HealthUrl, read_url

# Returns a name's addresses in numeric form; raises OSError if it has none.
Resolver = Callable[[str, int], Sequence[str]]

_MAX_ADDRESSES = 16
_BUFFER = 8192
# A chunk of one byte has at least five bytes of framing. With this factor, framing does not count
# towards the limit of a body.
_FRAMING = 8
_HEADERS = {
    "Accept": "application/json, */*;q=0.5",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
    "Connection": "close",
    "User-Agent": "slipway-health-probe",
}


def resolve_name(host: str, port: int) -> Sequence[str]:
    """Look up a name with the system's resolver.

    Raises:
        OSError: it has no address.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def probe(
    url: object,
    limits: ProbeLimits,
    *,
    resolve: Resolver = resolve_name,
    tls: ssl.SSLContext | None = None,
) -> ProbeResult:
    """Send one GET to a health URL, without redirects or decoding.

    Args:
        url: from the catalogue: any value.
        limits: allowed addresses, time and size.
        resolve: looks names up; called once, for the URL's host.
        tls: how to check certificates; None: by the system's authorities.

    Returns:
        The answer, or why it is missing. The probed host cannot cause an exception.
    """
    clock = _Deadline(limits.deadline_seconds)
    try:
        target = _read_target(url, limits)
        addresses = _look_up(target, resolve, limits, clock)
        with _connect(target, addresses, clock, tls) as connected:
            return _ask(target, connected, limits, clock)
    except _Stopped as stopped:
        return stopped.failed
    except TimeoutError:
        return Failed(
            FailureKind.TIMEOUT,
            f"The health URL did not answer fully within {limits.deadline_seconds:g} s.",
        )


class _Stopped(Exception):
    def __init__(self, kind: FailureKind, sentence: str) -> None:
        super().__init__(sentence)
        self.failed = Failed(kind, sentence)


class _Deadline:
    """The deadline of a whole probe."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: no time is left.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _refused(why: str) -> _Stopped:
    return _Stopped(FailureKind.REFUSED_URL, f"The health URL was not probed: {why}.")


def _read_target(url: object, limits: ProbeLimits) -> HealthUrl:
    try:
        target = read_url(url)
    except ValueError as error:
        raise _refused(str(error)) from None
    if target.port not in limits.allowed_ports:
        allowed = ", ".join(map(str, sorted(limits.allowed_ports)))
        raise _refused(f"its port {target.port} is not allowed (allowed: {allowed})")
    return target


def _look_up(
    target: HealthUrl, resolve: Resolver, limits: ProbeLimits, clock: _Deadline
) -> Sequence[str]:
    # The system's lookup has no time-out, so its thread is abandoned after the deadline.
    worker = ThreadPoolExecutor(1, "health-probe-dns")
    try:
        addresses = worker.submit(resolve, target.host, target.port).result(clock.left())
    except TimeoutError:
        raise
    except (OSError, UnicodeError):
        addresses = ()
    finally:
        worker.shutdown(wait=False)
    if not addresses:
        raise _Stopped(FailureKind.DNS, f"The health URL's host {target.host} was not found.")
    if len(addresses) > _MAX_ADDRESSES:
        raise _refused(f"its host has more than {_MAX_ADDRESSES} addresses")
    # One forbidden address refuses the name, because otherwise the outcome would be random.
    if fault := forbidden(addresses, limits):
        raise _refused(f"its host {target.host} is {fault}")
    return addresses


def _connect(
    target: HealthUrl, addresses: Sequence[str], clock: _Deadline, tls: ssl.SSLContext | None
) -> socket.socket:
    connected = _connect_to_one(target, addresses, clock)
    if target.scheme == "http":
        return connected
    try:
        connected.settimeout(clock.left())
        return (tls or _system_tls()).wrap_socket(connected, server_hostname=target.host)
    except TimeoutError:
        connected.close()
        raise
    except (OSError, ValueError) as error:
        connected.close()
        raise _Stopped(
            FailureKind.TLS,
            f"The TLS certificate of the health URL's host is not trusted: {_tls_fault(error)}.",
        ) from None


def _connect_to_one(target: HealthUrl, addresses: Sequence[str], clock: _Deadline) -> socket.socket:
    why = ""
    for left in range(len(addresses), 0, -1):
        address = addresses[-left]
        try:
            # The time is shared, so that an address that drops packets leaves time for the next.
            return _connect_to(address, target.port, clock.left() / left)
        except TimeoutError:
            if left == 1:
                raise
        except OSError as error:
            why = f" ({error.strerror.lower()})" if error.strerror else ""
    raise _Stopped(
        FailureKind.CONNECT,
        f"The health URL's host {target.host} does not accept connections on port "
        f"{target.port}{why}.",
    )


def _connect_to(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(seconds)
        connecting.connect((address, port))
    except OSError:
        connecting.close()
        raise
    return connecting


@cache
def _system_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _tls_fault(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return shown(error.verify_message).rstrip(".")
    reason = getattr(error, "reason", None)
    return reason.replace("_", " ").lower() if isinstance(reason, str) else "it ended the handshake"


class _Wire(io.RawIOBase):
    """The incoming bytes, limited by the deadline and by a number of bytes."""

    def __init__(self, connected: socket.socket, clock: _Deadline, budget: int) -> None:
        super().__init__()
        self._socket = connected
        self._clock = clock
        self.budget = budget

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer will do
        self._socket.settimeout(self._clock.left())
        count = self._socket.recv_into(buffer)
        self.budget -= count
        if self.budget < 0:
            raise _Stopped(FailureKind.TOO_LARGE, "The health URL's answer has too many bytes.")
        return count


class _Readable:
    """The one method of a socket that `HTTPResponse` uses."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._wire, _BUFFER)


def _ask(
    target: HealthUrl, connected: socket.socket, limits: ProbeLimits, clock: _Deadline
) -> ProbeResult:
    # The reader's buffer may contain a part of the body, which must not count as headers.
    wire = _Wire(connected, clock, limits.max_header_bytes + _BUFFER)
    try:
        connected.settimeout(clock.left())
        _send(target, connected)
        response = HTTPResponse(_Readable(wire), method="GET")  # type: ignore[arg-type]  # see above
        response.begin()
        if fault := _unwanted(response):
            return fault
        wire.budget += _FRAMING * limits.max_body_bytes
        body = response.read(limits.max_body_bytes + 1)
    except TimeoutError:
        raise
    except (HTTPException, ValueError):
        return Failed(
            FailureKind.NOT_HTTP, "The health URL's host did not give a valid HTTP answer."
        )
    except OSError:
        return Failed(
            FailureKind.CONNECT,
            "The health URL's host closed the connection before it answered.",
        )
    if len(body) > limits.max_body_bytes:
        return Failed(
            FailureKind.TOO_LARGE,
            f"The health URL's answer is longer than {limits.max_body_bytes // 1024} KiB.",
        )
    if response.length:
        return Failed(FailureKind.NOT_HTTP, "The health URL's answer is incomplete.")
    return Answered(response.status, body)


def _send(target: HealthUrl, connected: socket.socket) -> None:
    request = HTTPConnection(target.host, target.port)
    # The `Host` header names a port only if it is not the scheme's own.
    request.default_port = target.default_port
    request.sock = connected
    request.request("GET", target.path, headers=_HEADERS)


def _unwanted(response: HTTPResponse) -> Failed | None:
    """Return why the headers alone reject an answer; None if they do not."""
    if 300 <= response.status < 400:
        return Failed(
            FailureKind.REDIRECT,
            f"The health URL answered {response.status}{_destination(response)}. Redirects are "
            "not followed: set the health URL to the final address.",
        )
    encodings = [
        response.getheader("Content-Encoding", "identity"),
        "identity" if response.chunked else response.getheader("Transfer-Encoding", "identity"),
    ]
    for encoding in encodings:
        if encoding.strip().lower() not in {"", "identity"}:
            return Failed(
                FailureKind.ENCODED,
                f"The health URL's answer is encoded ({shown(encoding)}), although the request "
                "refused encodings. Encoded answers are not read.",
            )
    return None


def _destination(response: HTTPResponse) -> str:
    """Describe a redirect's target without path and query, which may be secret."""
    try:
        parts = urlsplit(response.getheader("Location", ""))
        host = parts.hostname
    except ValueError:
        return ""
    return f" and leads to {shown(parts.scheme)}://{shown(host)}" if host else ""
