import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.urls import check_pattern, matches_pattern


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://shop.example.com/health", "https://*.example.com/"),
        ("HTTPS://Shop.Example.COM/health", "https://*.example.com/"),
        ("https://shop.example.com", "https://*.example.com/"),
        ("https://shop.example.com:443/health?deep=1", "https://*.example.com/"),
        ("https://shop.example.com/a/../b%2e", "https://*.example.com/"),
        ("https://a.b.example.com/", "https://*.*.example.com/"),
        ("https://shop.example.com:8443/", "https://shop.example.com:8443/"),
        ("http://10.0.0.1:3300/services/shop/health", "http://10.0.0.1:3300/services/"),
        ("https://shop.example.com/health", "https://*.example.com/health"),
        ("https://shop.example.com/health/live?x=..", "https://*.example.com/health"),
        ("https://shop.example.com/health/", "https://*.example.com/health/"),
    ],
)
def test_url_matches_the_pattern(url: str, pattern: str) -> None:
    check_pattern(pattern)
    assert matches_pattern(url, pattern)


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://shop.example.com/", "https://*.example.com/"),
        ("https://example.com/", "https://*.example.com/"),
        ("https://a.b.example.com/", "https://*.example.com/"),
        ("https://.example.com/", "https://*.example.com/"),
        ("https://shop.example.com./", "https://*.example.com/"),
        ("https://shop.example.com.evil.example/", "https://*.example.com/"),
        ("https://evil.example/.example.com/", "https://*.example.com/"),
        ("https://evil.example?.example.com/", "https://*.example.com/"),
        ("https://evil.example#.example.com/", "https://*.example.com/"),
        ("https://evil.example\\.example.com/", "https://*.example.com/"),
        ("https://shop.example.com@evil.example/", "https://*.example.com/"),
        ("https://user@shop.example.com/", "https://*.example.com/"),
        ("https://@shop.example.com/", "https://*.example.com/"),
        ("https://shop.example.com:8443/", "https://*.example.com/"),
        ("https://shop.example.com:0/", "https://*.example.com/"),
        ("https://shop.example.com:x/", "https://*.example.com/"),
        ("https://[::1]/", "https://*/"),
        ("https://shop.example.com/healthy", "https://*.example.com/health"),
        ("https://shop.example.com/Health", "https://*.example.com/health"),
        ("https://shop.example.com/health/../admin", "https://*.example.com/health"),
        ("https://shop.example.com/health/..;/admin", "https://*.example.com/health"),
        ("https://shop.example.com/health/%2e%2e/admin", "https://*.example.com/health"),
        ("https://shop.example.com/?/health", "https://*.example.com/health"),
        ("https://shop.example.com/health", "https://*.example.com/health/"),
        (" https://shop.example.com/", "https://*.example.com/"),
        ("https://shop.example.com/\n", "https://*.example.com/"),
        ("https://shöp.example.com/", "https://*.example.com/"),
        ("//shop.example.com/", "https://*.example.com/"),
        ("javascript:alert(1)", "https://*/"),
        ("", "https://*.example.com/"),
        (None, "https://*.example.com/"),
        (["https://shop.example.com/"], "https://*.example.com/"),
    ],
)
def test_url_does_not_match_the_pattern(url: object, pattern: str) -> None:
    check_pattern(pattern)
    assert not matches_pattern(url, pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "https://*.example.com",
        "*://shop.example.com/",
        "https://a*.example.com/",
        "https://**.example.com/",
        "https://Shop.example.com/",
        "https://user@shop.example.com/",
        "https://shop.example.com:*/",
        "https://shop.example.com:0/",
        "https://shop.example.com/?x",
        "https://shop.example.com/*",
        "https://shop.example.com/%2e",
        "https://shop..example.com/",
        "https://[::1]/",
        "ftp://shop.example.com/",
    ],
)
def test_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="exactly one label"):
        check_pattern(pattern)


@given(st.text(alphabet="abc.*:/@#?\\%;[]1", max_size=30))
def test_host_of_a_match_is_always_below_the_pattern(rest: str) -> None:
    url = f"https://{rest}"

    if matches_pattern(url, "https://*.example.com/"):
        assert url.removeprefix("https://").partition("/")[0].endswith(".example.com")
