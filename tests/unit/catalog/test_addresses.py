"""Addresses that health checks may request: compared by parsed parts, never as text."""

from typing import Any

import pytest
from slipway.catalog.addresses import allowed_urls, health_url
from slipway.errors import UserError

from tests.catalogs.samples import ACME, SHIPPED, catalog


def entity(**properties: Any) -> dict[str, Any]:
    return {"identifier": "my-service", "properties": properties}


def test_health_url_is_read_from_reviewed_properties() -> None:
    kind = catalog(ACME).kinds["service"]

    url = health_url(kind, entity(health_url="https://x.qa.acme.example/health"), {})

    assert url == "https://x.qa.acme.example/health"


def test_health_url_is_refused_when_it_is_not_allowed() -> None:
    kind = catalog(ACME).kinds["service"]

    with pytest.raises(UserError, match="is not an allowed health address"):
        health_url(kind, entity(health_url="https://169.254.169.254/latest"), {})


def test_health_url_is_none_when_missing() -> None:
    assert health_url(catalog(SHIPPED).kinds["service"], entity(health_url=None), {}) is None
    assert health_url(catalog(SHIPPED).kinds["bucket"], entity(), {}) is None


def test_allowed_addresses_may_be_a_setting() -> None:
    kind, url = catalog(SHIPPED).kinds["service"], "http://127.0.0.1:3300/services/x/health"

    settings = {"health_allowed": ["http://127.0.0.1:3300/services/"]}

    assert health_url(kind, entity(health_url=url), settings) == url


def test_no_address_is_allowed_by_default() -> None:
    assert allowed_urls(catalog(SHIPPED).kinds["service"], {}) == ()
    assert allowed_urls(catalog(SHIPPED).kinds["bucket"], {}) == ()
