"""Decide by which address of an entity Slipway repairs it. Pure: no name lookup."""

from collections.abc import Mapping
from typing import Any

from slipway.catalog.expressions import evaluate
from slipway.catalog.model import Kind
from slipway.catalog.request import settings_of
from slipway.errors import UserError
from slipway.urls import matches_pattern


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
    patterns = allowed_urls(kind, settings)
    if any(matches_pattern(url, pattern) for pattern in patterns):
        return str(url)
    raise UserError(
        f"{str(url)[:200]!r} is not an allowed health address of '{entity['identifier']}'. The "
        f"catalog allows: {', '.join(patterns) or 'none'}."
    )


def allowed_urls(kind: Kind, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the patterns of `health.allowed`, which the catalog's check has validated."""
    if kind.spec.health is None:
        return ()
    allowed = evaluate(kind.spec.health.allowed, {"settings": settings_of(kind.spec, settings)})
    return tuple(map(str, allowed if isinstance(allowed, list | tuple) else (allowed,)))


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
