"""Read health URLs, and match them with patterns. Pure."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 2048
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:")
_LABEL = r"(?:\*|[a-z0-9_-]{1,63})"
_PATTERN = re.compile(
    rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,4}}))?(/[A-Za-z0-9._~/-]*)"
)


@dataclass(frozen=True)
class HealthUrl:
    """Target of a URL: `path` with query, lower-case `host` without brackets."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str

    @property
    def default_port(self) -> int:
        """The scheme's own port."""
        return _DEFAULT_PORTS[self.scheme]


def read_url(url: object) -> HealthUrl:
    """Read a health URL.

    It is the only reader, so that the compared URL is the probed one.

    Args:
        url: from the catalogue: any value.

    Raises:
        ValueError: it is not one; the text is the end of a sentence about "it".
    """
    if not isinstance(url, str) or not url:
        raise ValueError("it is not text")
    if len(url) > MAX_URL:
        raise ValueError(f"it has more than {MAX_URL} characters")
    if not all("!" <= c <= "~" and c != "\\" for c in url):
        raise ValueError(
            "it has characters that are not valid in a URL (write names in other scripts in "
            "Punycode, percent-encode the rest)"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port is malformed") from None
    scheme, host = parts.scheme, parts.hostname or ""
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"its scheme is '{scheme[:20]}', not http or https")
    if "@" in parts.netloc:
        raise ValueError("it has a user name or password")
    labels = host.split(".")
    if not set(host) <= _HOST_CHARACTERS or not all(1 <= len(label) <= 63 for label in labels):
        raise ValueError("its host is malformed")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return HealthUrl(
        "https" if scheme == "https" else "http",
        host,
        _DEFAULT_PORTS[scheme] if port is None else port,
        path,
    )


def check_pattern(pattern: str) -> None:
    """Check a pattern of URLs.

    Raises:
        ValueError: it is not one; the text is the end of a sentence about "it".
    """
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(
            "must be http or https, a host in lower case in which * stands for exactly one label, "
            "a port if it is not the scheme's own, and a path, for example "
            "https://*.example.com/health"
        )


def matches_pattern(url: object, pattern: str) -> bool:
    """Return whether a health URL matches a pattern.

    Scheme and port must be equal. Each `*` of the pattern's host matches exactly one label. The
    path must begin with the segments of the pattern's path. A URL with user information never
    matches.
    """
    parts = _PATTERN.fullmatch(pattern)
    try:
        read = read_url(url)
    except ValueError:
        return False
    if parts is None:
        return False
    scheme, host, port, prefix = parts.groups()
    if (scheme, int(port or _DEFAULT_PORTS[scheme])) != (read.scheme, read.port):
        return False
    wanted, labels = host.split("."), read.host.split(".")
    if len(wanted) != len(labels) or ":" in read.host:
        return False
    if not all(one in {"*", label} for one, label in zip(wanted, labels, strict=True)):
        return False
    return prefix == "/" or _below(read.path.partition("?")[0], prefix)


def _below(path: str, prefix: str) -> bool:
    # A server may resolve such segments to a place outside the prefix; some read `..;` as `..`.
    climbs = any(segment.partition(";")[0] in {".", ".."} for segment in path.split("/"))
    if climbs or "%" in path:
        return False
    return path == prefix or path.startswith(prefix.removesuffix("/") + "/")
