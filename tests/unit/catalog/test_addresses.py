"""Addresses that health checks may request: compared by parsed parts, never as text."""

from typing import Any

import pytest
from slipway.catalog.addresses import health_url, is_allowed
from slipway.errors import UserError

from tests.catalogs.samples import ACME, SHIPPED, catalog

PATTERN = "https://*.example.com/health"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.example.com/health", True),
        ("https://a.example.com/health/live?x=1", True),
        ("https://a.example.com:443/health", True),
        ("https://A.EXAMPLE.com/health", True),
        ("https://a.example.com/healthy", False),
        ("https://a.example.com/health/../admin", False),
        ("https://a.example.com/health/%2e%2e/admin", False),
        ("https://a.b.example.com/health", False),
        ("https://example.com/health", False),
        ("https://.example.com/health", False),
        ("https://a.example.com.evil.test/health", False),
        ("https://evil.test/a.example.com/health", False),
        ("https://u@a.example.com/health", False),
        ("https://@a.example.com/health", False),
        ("https://a.example.com@evil.test/health", False),
        ("https://a.example.com:8443/health", False),
        ("https://a.example.com:x/health", False),
        ("http://a.example.com/health", False),
        ("https://a.example.com\\@evil.test/health", False),
        ("https://a.example.com/health\n", False),
        ("https://а.example.com/health", False),
        ("file:///etc/passwd", False),
        ("//a.example.com/health", False),
        ("", False),
    ],
)
def test_address_is_compared_by_its_parts(url: str, allowed: bool) -> None:
    assert is_allowed(url, PATTERN) is allowed


def entity(**properties: Any) -> dict[str, Any]:
    return {"identifier": "my-service", "properties": properties}


def test_health_url_is_read_from_reviewed_properties() -> None:
    kind = catalog(ACME).kinds["service"]

    url = health_url(kind, entity(health_url="https://x.qa.acme.example/health"), {})

    assert url == "https://x.qa.acme.example/health"


def test_health_url_is_refused_when_it_is_not_allowed() -> None:
    kind = catalog(ACME).kinds["service"]

    with pytest.raises(UserError, match="is not an address that may be probed"):
        health_url(kind, entity(health_url="https://169.254.169.254/latest"), {})


def test_health_url_is_none_when_missing() -> None:
    assert health_url(catalog(SHIPPED).kinds["service"], entity(health_url=None), {}) is None
    assert health_url(catalog(SHIPPED).kinds["bucket"], entity(), {}) is None


def test_allowed_addresses_may_be_a_setting() -> None:
    kind, url = catalog(SHIPPED).kinds["service"], "http://127.0.0.1:3300/services/x/health"

    settings = {"health_allowed": "http://127.0.0.1:3300/services/"}

    assert health_url(kind, entity(health_url=url), settings) == url
