"""A real server that answers a probe with any bytes, over TCP or TLS."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from slipway.health.addresses import ProbeLimits

Behave = Callable[[socket.socket, threading.Event], None]
NAME = "service.test"
# A thread that waits this long hangs; every answer takes far less.
HANGS_AFTER = 60
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class Server:
    """Runs one behaviour for each connection, until the server is closed.

    Attributes:
        port: where it listens.
        requests: the heads of the received requests, in order.
        connections: the number of connections.
        behave: the behaviour for each connection.
    """

    def __init__(self, behave: Behave, tls: ssl.SSLContext | None, family: socket.AddressFamily):
        self._listening = socket.create_server(
            ("::1" if family is socket.AF_INET6 else "127.0.0.1", 0), family=family
        )
        self._listening.settimeout(HANGS_AFTER)
        self.behave = behave
        self._tls = tls
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listening.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._run(self._accept)

    def limits(self, **changes: object) -> ProbeLimits:
        """Return limits that allow only this server; tests do not use their deadline."""
        limits = ProbeLimits.model_validate(
            {"allowed_cidrs": LOOPBACK, "allowed_ports": {self.port}, **changes}
        )
        if "deadline_seconds" in changes:
            return limits
        return limits.model_copy(update={"deadline_seconds": HANGS_AFTER})

    def close(self) -> None:
        self._stop.set()
        # `accept` does not return when its socket is closed, but it does for a new connection.
        with contextlib.suppress(OSError):
            socket.create_connection(self._listening.getsockname()[:2], timeout=HANGS_AFTER).close()
        for thread in self._threads:
            thread.join(timeout=HANGS_AFTER)
        self._listening.close()

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = self._listening.accept()
                if self._stop.is_set():
                    connected.close()
                    return
                self.connections += 1
                self._run(self._serve, connected)

    def _serve(self, connected: socket.socket) -> None:
        # Tests check the prober's result, not what it does to the connection.
        with contextlib.suppress(OSError), connected:
            connected.settimeout(HANGS_AFTER)
            if self._tls is None:
                self.behave(connected, self._stop)
                return
            with self._tls.wrap_socket(connected, server_side=True) as secured:
                self.behave(secured, self._stop)

    def answering(self, answer: bytes) -> Behave:
        """Make a behaviour that reads the request, sends this answer and closes."""

        def behave(connected: socket.socket, _stop: threading.Event) -> None:
            self.requests.append(read_head(connected))
            connected.sendall(answer)

        return behave


def read_head(connected: socket.socket) -> bytes:
    """Read the request up to its empty line."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connected.recv(4096)
        if not part:
            break
        head += part
    return head


@contextmanager
def served(
    behave: Behave | bytes,
    *,
    tls: ssl.SSLContext | None = None,
    family: socket.AddressFamily = socket.AF_INET,
) -> Iterator[Server]:
    """Run a server with a behaviour, or with the bytes of one answer."""

    def nothing(_connected: socket.socket, _stop: threading.Event) -> None: ...

    server = Server(nothing if isinstance(behave, bytes) else behave, tls, family)
    if isinstance(behave, bytes):
        server.behave = server.answering(behave)
    try:
        yield server
    finally:
        server.close()


def http(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """Write an HTTP answer."""
    named = {"Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def dripping(first: bytes, drop: bytes) -> Behave:
    """Send a text, then one more part every few milliseconds, without end."""

    def behave(connected: socket.socket, stop: threading.Event) -> None:
        read_head(connected)
        connected.sendall(first)
        while not stop.wait(0.02):
            connected.sendall(drop)

    return behave


class Certificate:
    """A self-signed certificate for a name or an address, with contexts for both sides."""

    def __init__(self, folder: Path, name: str = NAME, *, expired: bool = False) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        ends = now - timedelta(days=1) if expired else now + timedelta(days=1)
        alternative: x509.GeneralName
        try:
            alternative = x509.IPAddress(ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        self._certificate = folder / "certificate.pem"
        self._certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = folder / "key.pem"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.names: list[str | None] = []
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self._certificate, private)
        self.server.sni_callback = lambda _socket, name, _context: self.names.append(name)

    def trusted(self) -> ssl.SSLContext:
        """Return a client's context that trusts this certificate."""
        return ssl.create_default_context(cafile=str(self._certificate))
