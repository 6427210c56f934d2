"""Path patterns: syntax, coverage and parsing."""

import re

import pytest
from slipway.catalog.patterns import Part, Pattern

PARTS = {
    "team": Part("[a-z][a-z0-9-]*", "", "pay", frozenset({"."})),
    "name": Part("[a-z][a-z0-9-]*", "", "shop", frozenset({"."})),
    "env": Part("dev|prod", "", "dev", frozenset({"."})),
}


def read(pattern: str, text: str) -> dict[str, str] | None:
    return Pattern.parse(pattern).read(text, PARTS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the segment ''"),
        ("/a", "the segment ''"),
        ("a//b", "the segment ''"),
        ("a/../b", "the segment '..'"),
        (".git/x", "the segment '.git'"),
        ("GIT~1/x", "the segment 'GIT~1'"),
        ("a/**/b", "'**' as the last segment only"),
        ("**", "a segment before '**'"),
        ("a*b*", "at most one '*'"),
        ("{a,b}/x", "has '{'"),
        ("a\\b", "has '\\\\'"),
        ("a\nb", "has '\\n'"),
        ("{team}{name}", "a separator between two parts"),
        ("{team}*", "a separator between two parts"),
        ("{team}x{name}", "neither letters nor digits separate"),
        ("{team}-a-{name}", "neither letters nor digits separate"),
    ],
)
def test_pattern_is_refused_when_it_is_ambiguous(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        Pattern.parse(text)


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("apps/{name}/**", "apps/shop/a", True),
        ("apps/{name}/**", "apps/shop/a/b.yaml", True),
        ("apps/{name}/**", "apps/shop", False),
        ("apps/{name}/**", "apps/shopping/a", False),
        ("apps/{name}/**", "apps/shop/a//b", False),
        ("a/{name}/*.yaml", "a/shop/x.yaml", True),
        ("a/{name}/*.yaml", "a/shop/x/y.yaml", False),
        ("a/{name}/*.yaml", "a/shop/.yaml", False),
        ("a/{name}-*", "a/shop-1", True),
        ("a/{name}.x", "a/shop.x\n", False),
    ],
)
def test_pattern_covers_paths(pattern: str, path: str, covered: bool) -> None:
    assert Pattern.parse(pattern).covers(path, {"name": "shop"}) is covered


@pytest.mark.parametrize(
    ("pattern", "text", "parts"),
    [
        ("{team}.{name}.{env}", "pay.sh-op.dev", {"team": "pay", "name": "sh-op", "env": "dev"}),
        ("{team}.{name}.{env}", "pay.shop.test", None),
        ("{team}.{name}.{env}", "pay.a.b.dev", None),
        ("{team}.{name}", "pay.shop\n", None),
        ("{team}.{name}", "pay.", None),
        ("{team}.{name}", ".shop", None),
        ("x/{name}/{name}", "x/a/a", {"name": "a"}),
        ("x/{name}/{name}", "x/a/b", None),
        ("x/{team}.*.{name}", "x/a.b.c.d", {"team": "a", "name": "d"}),
        ("x/{name}.yaml", "x/shop.yaml", {"name": "shop"}),
        ("x/{name}/**", "x/shop/y/z", {"name": "shop"}),
        ("x/{name}/**", "x/shop", None),
    ],
)
def test_text_is_read_by_a_pattern(pattern: str, text: str, parts: dict[str, str] | None) -> None:
    assert read(pattern, text) == parts


@pytest.mark.parametrize(
    "value",
    ["", "a..b", "-a", "a-", "a.", "x.lock", "a/b", "a\n", "é", ".git", "a" * 101, "a b", 5, None],
)
def test_unsafe_value_is_refused_for_any_pattern(value: object) -> None:
    assert not Part(".*", "", "a").accepts(value)


@pytest.mark.parametrize(
    ("one", "other", "disjoint"),
    [
        ("apps/{name}/**", "buckets/{name}/**", True),
        ("apps/{name}/**", "apps/{team}/x", False),
        ("apps/{name}/**", "apps/X", True),
        ("apps/{name}", "apps/{name}/**", True),
        ("apps/{name}/values-{env}.yaml", "apps/{name}/port-{env}.json", True),
        ("apps/{name}/{env}/**", "apps/{name}/values-{env}.yaml", True),
        ("apps/{name}/{env}", "apps/{name}/shared", True),
        ("apps/{name}/{env}", "apps/{name}/dev", False),
        ("apps/{name}/*.yaml", "apps/{name}/*.json", True),
        ("apps/{name}/*.yaml", "apps/{name}/x.yaml", False),
    ],
)
def test_patterns_are_proven_disjoint(one: str, other: str, disjoint: bool) -> None:
    first, second = Pattern.parse(one), Pattern.parse(other)

    assert first.is_disjoint(second, PARTS, PARTS) is disjoint
    assert second.is_disjoint(first, PARTS, PARTS) is disjoint


def test_pattern_has_a_folder_with_all_its_paths() -> None:
    parts = {"name": "shop", "env": "dev"}

    assert Pattern.parse("a/{name}/**").folder(parts) == "a/shop"
    assert Pattern.parse("a/{name}/x-*/y").folder(parts) == "a/shop"
    assert Pattern.parse("a/{name}/{env}.yaml").folder(parts) == "a/shop"
    assert Pattern.parse("{name}.yaml").folder(parts) == ""
