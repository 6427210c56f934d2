"""Bad health URLs, on a real local server."""

import gzip
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from slipway.health import probe as module
from slipway.health.addresses import ProbeLimits
from slipway.health.finding import Answered, Failed, FailureKind, ProbeResult
from slipway.health.probe import probe
from slipway.urls import HealthUrl

from tests.unit.health.wire import NAME, Certificate, Server, dripping, http, read_head, served

pytestmark = pytest.mark.waits

SHORT = {"deadline_seconds": 0.3}


def no_resolver(_host: str, _port: int) -> Sequence[str]:
    raise AssertionError("the name must not be looked up")


def at_loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def failed(result: ProbeResult, kind: FailureKind) -> str:
    """Return the message of a probe that failed in this way."""
    assert isinstance(result, Failed), result
    assert result.kind is kind, result
    assert result.sentence.endswith("."), result
    return result.sentence


# -- requests


def test_probe_returns_the_status_and_body() -> None:
    with served(http(b'{"status": "ok"}')) as server:
        result = probe(f"http://127.0.0.1:{server.port}/health?deep=1#top", server.limits())

    assert result == Answered(200, b'{"status": "ok"}')
    head = server.requests[0].decode()
    assert head.startswith("GET /health?deep=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert head.count("Accept-Encoding: identity") == 1


def test_probe_resolves_the_name_once_and_sends_it_as_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    def never(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a second look-up")

    with served(http(b"")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", never)
        result = probe(f"http://Service.TEST:{server.port}", server.limits(), resolve=resolve)
        monkeypatch.undo()

    assert result == Answered(200, b"")
    assert asked == [(NAME, server.port)]
    assert f"Host: {NAME}:{server.port}\r\n".encode() in server.requests[0]


def test_probe_ignores_proxies_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with served(http(b"")) as server:
        assert isinstance(probe(f"http://127.0.0.1:{server.port}/", server.limits()), Answered)


def test_probe_puts_an_ipv6_host_in_brackets() -> None:
    with served(http(b""), family=socket.AF_INET6) as server:
        result = probe(f"http://[::1]:{server.port}/", server.limits())

    assert isinstance(result, Answered)
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_probe_tries_the_next_address_when_the_first_refuses() -> None:
    with served(http(b"")) as server:
        result = probe(
            f"http://{NAME}:{server.port}/",
            server.limits(),
            resolve=lambda _host, _port: ["::1", "127.0.0.1"],
        )

    assert isinstance(result, Answered)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\nall is well",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nall is well\r\n0\r\n\r\n",
        http(b"all is well", "200 OK", Content_Encoding="identity"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"all is well"),
    ],
)
def test_probe_reads_the_body_of_every_http_framing(answer: bytes) -> None:
    with served(answer) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert result == Answered(200, b"all is well")


@pytest.mark.parametrize(
    ("scheme", "port", "host"),
    [
        ("http", 80, b"service.test"),
        ("https", 443, b"service.test"),
        ("http", 443, b"service.test:443"),
        ("https", 80, b"service.test:80"),
    ],
)
def test_host_header_names_only_a_non_default_port(scheme: Any, port: int, host: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        module._send(HealthUrl(scheme, NAME, port, "/"), ours)

        assert b"\r\nHost: " + host + b"\r\n" in theirs.recv(4096)


# -- refused URLs


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "scheme is 'file'"),
        ("gopher://example.com/", "scheme is 'gopher'"),
        ("ftp://example.com/", "scheme is 'ftp'"),
        ("javascript:alert(1)", "scheme"),
        ("//example.com/", "scheme is ''"),
        ("example.com", "scheme is ''"),
        ("http:///health", "host is malformed"),
        ("http://", "host is malformed"),
        ("http://user@example.com/", "user name"),
        ("http://user:secret@example.com/", "user name"),
        ("http://@example.com/", "user name"),
        ("http://example.com:0/", "port 0 is not allowed"),
        ("http://example.com:22/", "port 22 is not allowed"),
        ("http://example.com:65536/", "malformed"),
        ("http://example.com:http/", "malformed"),
        ("http://example.com:-1/", "malformed"),
        ("http://[::1/", "malformed"),
        ("http://a..b/", "host is malformed"),
        ("http://exa%6dple.com/", "host is malformed"),
        ("http://" + "a" * 64 + ".com/", "host is malformed"),
        ("http://example.com\\@evil.test/", "characters"),
        ("http://example.com/a b", "characters"),
        ("http://example.com/\r\nX: y", "characters"),
        ("http://éxample.com/", "Punycode"),
        ("http://example.com/" + "a" * 3000, "2048"),
        ("", "not text"),
        (None, "not text"),
        (42, "not text"),
        (["http://example.com"], "not text"),
    ],
)
def test_probe_refuses_an_invalid_url_before_any_lookup(url: object, why: str) -> None:
    sentence = failed(probe(url, ProbeLimits(), resolve=no_resolver), FailureKind.REFUSED_URL)

    assert why in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0/",
        "http://0.0.0.0/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fe80::1]/",
        "https://10.0.0.7/",
        "http://192.168.0.1:80/",
        "http://172.31.255.255/",
        "http://[fd12:3456::1]/",
        "http://224.0.0.1/",
    ],
)
def test_probe_refuses_an_address_that_is_not_public(url: str) -> None:
    result = probe(url, ProbeLimits())

    assert "address" in failed(result, FailureKind.REFUSED_URL)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["93.184.216.34", "10.0.0.1"],
    ],
)
def test_probe_hides_the_private_address_of_a_refused_name(
    addresses: list[str],
) -> None:
    result = probe("http://rebind.example/", ProbeLimits(), resolve=lambda _h, _p: addresses)

    sentence = failed(result, FailureKind.REFUSED_URL)
    assert "rebind.example" in sentence
    assert not any(address in sentence for address in addresses)


def test_probe_does_not_connect_to_a_refused_address() -> None:
    with served(http(b"")) as server:
        limits = ProbeLimits(allowed_ports=frozenset({server.port}))
        failed(probe(f"http://127.0.0.1:{server.port}/", limits), FailureKind.REFUSED_URL)

        assert server.connections == 0


def test_probe_refuses_a_name_with_too_many_addresses() -> None:
    many = [f"8.8.8.{number}" for number in range(100)]

    result = probe("http://many.example/", ProbeLimits(), resolve=lambda _h, _p: many)

    assert "more than 16" in failed(result, FailureKind.REFUSED_URL)


# -- names and connections


@pytest.mark.parametrize("error", [socket.gaierror(8, "not known"), UnicodeError("label too long")])
def test_probe_reports_an_unknown_name(error: Exception) -> None:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        raise error

    result = probe("http://nowhere.example/", ProbeLimits(), resolve=resolve)

    assert "nowhere.example was not found" in failed(result, FailureKind.DNS)


def test_probe_reports_a_name_without_addresses_as_unknown() -> None:
    failed(probe("http://a.example/", ProbeLimits(), resolve=lambda _h, _p: []), FailureKind.DNS)


def test_probe_times_out_when_the_name_server_does_not_answer() -> None:
    released = threading.Event()

    def resolve(_host: str, _port: int) -> Sequence[str]:
        released.wait()
        return ["8.8.8.8"]

    try:
        result = probe("http://slow.example/", ProbeLimits(deadline_seconds=0.1), resolve=resolve)
    finally:
        released.set()

    assert "within 0.1 s" in failed(result, FailureKind.TIMEOUT)


def test_probe_reports_a_refused_connection() -> None:
    with served(http(b"")) as server:
        limits, url = server.limits(), f"http://127.0.0.1:{server.port}/"

    assert "does not accept connections" in failed(probe(url, limits), FailureKind.CONNECT)


def test_probe_times_out_when_the_connection_queue_is_full() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        limits = ProbeLimits.model_validate(
            {"allowed_cidrs": ["127.0.0.0/8"], "allowed_ports": [port], **SHORT}
        )
        result = probe(f"http://127.0.0.1:{port}/", limits)
        for one in waiting:
            one.close()

    failed(result, FailureKind.TIMEOUT)


# -- faulty answers


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P", "304 N"])
def test_probe_does_not_follow_a_redirect(status: str) -> None:
    with served(http(b"", status, Location="http://169.254.169.254/latest?token=abc")) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

        assert server.connections == 1
    sentence = failed(result, FailureKind.REDIRECT)
    assert "leads to http://169.254.169.254" in sentence
    assert "not followed" in sentence
    assert "abc" not in sentence


@pytest.mark.parametrize(
    "location", ["/elsewhere", "file:///etc/passwd", "http://[", "\x00\x1b[2J"]
)
def test_probe_does_not_follow_a_redirect_without_a_host(location: str) -> None:
    with served(http(b"", "302 Found", Location=location)) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert failed(result, FailureKind.REDIRECT).isprintable()


def test_probe_stops_at_the_size_limit_of_an_endless_body() -> None:
    def behave(connected: socket.socket, stop: threading.Event) -> None:
        read_head(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stop.is_set():
            connected.sendall(b"x" * 65536)

    with served(behave) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert "longer than 64 KiB" in failed(result, FailureKind.TOO_LARGE)


def test_probe_reads_a_body_of_exactly_the_size_limit() -> None:
    with served(http(b"x" * 65536)) as server:
        assert probe(f"http://127.0.0.1:{server.port}/", server.limits()) == Answered(
            200, b"x" * 65536
        )


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n" + b"x" * 70_000,
    ],
)
def test_probe_refuses_an_announced_length_over_the_limit(
    first: bytes,
) -> None:
    with served(first) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    failed(result, FailureKind.TOO_LARGE)


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 8000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096),
        (b"", b"HTTP/1.1 100 Continue\r\nX: " + b"x" * 8000 + b"\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            (b"1;" + b"x" * 4000 + b"\r\nx\r\n") * 20,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            (b"X: " + b"x" * 4000 + b"\r\n") * 20,
        ),
    ],
)
def test_probe_stops_at_endless_headers_or_framing(first: bytes, drop: bytes) -> None:
    with served(dripping(first, drop)) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert isinstance(result, Failed)
    assert result.kind in {FailureKind.TOO_LARGE, FailureKind.NOT_HTTP}


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_probe_deadline_covers_a_slowly_sent_answer(first: bytes, drop: bytes) -> None:
    with served(dripping(first, drop)) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits(**SHORT))

    failed(result, FailureKind.TIMEOUT)


def test_probe_times_out_when_the_server_is_silent() -> None:
    def behave(_connected: socket.socket, stop: threading.Event) -> None:
        stop.wait()

    with served(behave) as server:
        failed(
            probe(f"http://127.0.0.1:{server.port}/", server.limits(**SHORT)), FailureKind.TIMEOUT
        )


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "br"},
        {"Content_Encoding": "identity, gzip"},
        {"Transfer_Encoding": "gzip, chunked"},
    ],
)
def test_probe_refuses_a_gzip_bomb_without_unpacking_it(headers: dict[str, str]) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    assert len(bomb) < 65536
    with served(http(bomb, **headers)) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert "encoded" in failed(result, FailureKind.ENCODED)


def test_probe_shows_a_body_that_is_not_utf8() -> None:
    with served(http(b"\xff\xfe\x00\x1b[31mred\x07")) as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert isinstance(result, Answered)
    assert result.body == b"\xff\xfe\x00\x1b[31mred\x07"
    assert result.excerpt.isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 9999 OK\r\n\r\n",
        b"HTTP/3 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab",
        b"<html>hello</html>",
    ],
)
def test_probe_reports_an_answer_that_is_not_http(answer: bytes) -> None:
    with served(answer) as server:
        failed(probe(f"http://127.0.0.1:{server.port}/", server.limits()), FailureKind.NOT_HTTP)


def test_probe_fails_when_the_connection_closes_at_once() -> None:
    with served(b"") as server:
        result = probe(f"http://127.0.0.1:{server.port}/", server.limits())

    assert isinstance(result, Failed)
    assert result.kind in {FailureKind.CONNECT, FailureKind.NOT_HTTP}


# -- TLS


def test_probe_checks_the_certificate_for_the_real_name(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with served(http(b"ok"), tls=certificate.server) as server:
        result = probe(
            f"https://{NAME}:{server.port}/",
            server.limits(),
            resolve=at_loopback,
            tls=certificate.trusted(),
        )

    assert result == Answered(200, b"ok")
    assert certificate.names == [NAME]


def https(server: Server, certificate: Certificate | None, host: str = NAME) -> str:
    result = probe(
        f"https://{host}:{server.port}/",
        server.limits(),
        resolve=at_loopback,
        tls=certificate.trusted() if certificate else None,
    )
    return failed(result, FailureKind.TLS)


def test_probe_rejects_a_self_signed_certificate(tmp_path: Path) -> None:
    with served(http(b"ok"), tls=Certificate(tmp_path).server) as server:
        assert "self-signed certificate" in https(server, None)

        assert server.requests == []


def test_probe_rejects_a_certificate_for_another_name(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with served(http(b"ok"), tls=certificate.server) as server:
        assert "ostname mismatch" in https(server, certificate, "other.test")


def test_probe_rejects_an_expired_certificate(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path, expired=True)
    with served(http(b"ok"), tls=certificate.server) as server:
        assert "expired" in https(server, certificate)


def test_probe_reports_a_server_without_tls() -> None:
    def behave(connected: socket.socket, _stop: threading.Event) -> None:
        connected.recv(4096)
        connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with served(behave) as server:
        assert "wrong version number" in https(server, None)


def test_probe_times_out_when_the_tls_handshake_never_ends() -> None:
    # A TLS record that announces 16 KiB and arrives one byte at a time.
    with served(dripping(b"\x16\x03\x03\x40\x00", b"\x02")) as server:
        result = probe(
            f"https://{NAME}:{server.port}/", server.limits(**SHORT), resolve=at_loopback
        )

    failed(result, FailureKind.TIMEOUT)


def test_probe_deadline_covers_a_slow_answer_within_tls(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with served(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x"), tls=certificate.server) as server:
        result = probe(
            f"https://{NAME}:{server.port}/",
            server.limits(deadline_seconds=0.5),
            resolve=at_loopback,
            tls=certificate.trusted(),
        )

    failed(result, FailureKind.TIMEOUT)


def test_the_deadline_of_a_probe_is_three_seconds_by_default() -> None:
    assert ProbeLimits().deadline_seconds == 3
    assert ProbeLimits().max_body_bytes == 64 * 1024
    assert ProbeLimits().allowed_ports == {80, 443}
    assert module.resolve_name("127.0.0.1", 80) == ("127.0.0.1",)
