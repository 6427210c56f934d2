"""Decide which address of an entity may be probed. Pure: no name lookup."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from slipway.catalog.expressions import evaluate
from slipway.catalog.model import Kind
from slipway.catalog.request import settings_of
from slipway.errors import UserError

_PORTS = {"http": 80, "https": 443}


def health_url(kind: Kind, entity: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Find the address of an entity's health; None if it has none.

    Args:
        kind: its kind.
        entity: what `read_entity` read from reviewed files, never what Port has.
        settings: the installation's `catalog_settings`.

    Raises:
        UserError: the catalog does not allow the address.
    """
    url = named_url(kind, entity, settings)
    if kind.spec.health is None or url is None or url == "":
        return None
    allowed = evaluate(kind.spec.health.allowed, {"settings": settings_of(kind.spec, settings)})
    patterns = allowed if isinstance(allowed, list) else [allowed]
    if isinstance(url, str) and any(is_allowed(url, str(pattern)) for pattern in patterns):
        return url
    raise UserError(
        f"{str(url)[:200]!r} is not an address that may be probed for the health of "
        f"'{entity['identifier']}'. The catalog allows: {', '.join(map(str, patterns))}."
    )


def named_url(kind: Kind, entity: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Return the address that an entity names, unchecked; None if it has none.

    Raises:
        ExpressionRefused: the catalog's expression fails on these properties.
    """
    if kind.spec.health is None:
        return None
    context = {
        "identifier": entity["identifier"],
        "properties": entity["properties"],
        "settings": settings_of(kind.spec, settings),
    }
    return evaluate(kind.spec.health.url, context)


def is_allowed(url: str, pattern: str) -> bool:
    """Return whether an address matches a pattern.

    The scheme, host and port must be equal, and the path must begin with the pattern's. A `*` in
    the pattern's host matches exactly one label. An address with user information, or with a path
    that leads upwards, is never allowed.
    """
    asked, allowed = _parts(url), _parts(pattern)
    if asked is None or allowed is None or asked.username is not None or "@" in asked.netloc:
        return False
    labels, wanted = (str(one.hostname).split(".") for one in (asked, allowed))
    host = len(labels) == len(wanted) and all(
        want in {"*", label} and label for label, want in zip(labels, wanted, strict=True)
    )
    same = (asked.scheme, _port(asked)) == (allowed.scheme, _port(allowed))
    path, start = asked.path or "/", allowed.path or "/"
    below = path == start or path.startswith(start if start.endswith("/") else f"{start}/")
    return same and host and below and not {"..", "."} & set(path.split("/"))


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a plain http address; None for ambiguous ones."""
    if not url.isascii() or not url.isprintable() or any(char in url for char in ' \\<>"^`{|}%'):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in _PORTS and parts.hostname else None


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
