"""Form checks: input against Port's form."""

import math
from typing import Any

import pytest
from slipway.catalog.form import Form, Input, ecma_pattern, is_dry_run
from slipway.errors import InvalidInput


def check(value: Any, **schema: Any) -> Any:
    return Input("x", {"title": "The field", **schema}).check(value)


@pytest.mark.parametrize(
    ("value", "schema", "problem"),
    [
        (5, {"type": "string"}, "must be a text"),
        (True, {"type": "number"}, "must be a number"),
        ("2", {"type": "number"}, "must be a number"),
        (1, {"type": "boolean"}, "must be true or false"),
        ({}, {"type": "array"}, "must be a list"),
        ([], {"type": "object"}, "must be an object"),
        ("c", {"type": "string", "enum": ["a", "b"]}, "must be one of a, b"),
        ("aB", {"type": "string", "pattern": "^[a-z]+$"}, "must match ^[a-z]+$"),
        ("foo\n", {"type": "string", "pattern": "^[a-z]+$"}, "must match ^[a-z]+$"),
        ("", {"type": "string", "minLength": 1}, "must have at least 1 characters"),
        ("abc", {"type": "string", "minLength": 1, "maxLength": 2}, "must have 1 to 2 characters"),
        (0, {"type": "number", "minimum": 1, "maximum": 5}, "must be 1 to 5"),
        (6, {"type": "number", "maximum": 5}, "must be at most 5"),
        ([1], {"type": "array", "items": {"type": "string"}}, "has an item that must be a text"),
        ([], {"type": "array", "minItems": 1}, "must have at least 1 items"),
        ("\ud800", {"type": "string"}, "must be a value of JSON"),
        ({"a": ["\udfff"]}, {"type": "object"}, "must be a value of JSON"),
        (math.nan, {"type": "number"}, "must be a value of JSON"),
        (math.inf, {"type": "number"}, "must be a value of JSON"),
        (2**53 + 1, {"type": "number"}, "must be a value of JSON"),
        (-(10**400), {"type": "number"}, "must be a value of JSON"),
    ],
)
def test_refused_input_is_named_by_its_title(
    value: Any, schema: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(value, **schema)

    assert str(caught.value).startswith("Input 'The field' ")
    assert problem in str(caught.value)


def test_description_explains_a_pattern() -> None:
    with pytest.raises(InvalidInput, match="lower-case letters only"):
        check("A", type="string", pattern="^[a-z]+$", description="lower-case letters only")


@pytest.mark.parametrize(
    ("value", "schema", "kept"),
    [
        ("x", {"type": "string", "enum": {"jqQuery": ".a"}}, "x"),
        ("x", {"type": "string", "pattern": {"jqQuery": ".a"}}, "x"),
        ("x", {"type": "string", "pattern": r"^\p{L}$"}, "x"),
        ({"identifier": "e1", "title": "E"}, {"type": "string", "format": "entity"}, "e1"),
        ({"email": "a@b.c", "id": 1}, {"type": "string", "format": "user"}, "a@b.c"),
        ({"name": "ops"}, {"type": "string", "format": "team"}, "ops"),
        (
            [{"identifier": "e1"}, "e2"],
            {"type": "array", "items": {"type": "string", "format": "entity"}},
            ["e1", "e2"],
        ),
        (2.0, {"type": "number"}, 2),
        (2.5, {"type": "number"}, 2.5),
    ],
)
def test_input_is_accepted_and_reduced(value: Any, schema: dict[str, Any], kept: Any) -> None:
    assert check(value, **schema) == kept
    assert type(check(value, **schema)) is type(kept)


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        (r"^\d+$", "١", False),
        (r"^a$|^b$", "b\n", False),
        (r"^[$]$", "$", True),
        (r"^\$$", "$", True),
        (r"b", "abc", True),
    ],
)
def test_ecma_pattern_matches_as_in_port(pattern: str, value: str, matches: bool) -> None:
    compiled = ecma_pattern(pattern)

    assert compiled is not None
    assert bool(compiled.search(value)) is matches


@pytest.mark.parametrize("pattern", [r"\p{L}", r"(?<n>a)", r"\u{1F600}", "[", r"^a\Z", "[[a]"])
def test_pattern_is_left_to_port_when_python_cannot_read_it(pattern: str) -> None:
    assert ecma_pattern(pattern) is None


FORM = Form.read(
    {
        "properties": {
            "a": {"type": "string", "title": "First"},
            "b": {"type": "string", "visible": {"jqQuery": "false"}},
            "s": {"type": "string", "encryption": "aes256-gcm"},
        },
        "required": ["a", "b"],
    }
)


def test_missing_required_input_is_named_by_its_title() -> None:
    with pytest.raises(InvalidInput, match="Input 'First' is missing"):
        FORM.check({}, ())


def test_required_input_may_be_missing_when_hidden() -> None:
    assert FORM.check({"a": "x"}, ()) == {"a": "x", "b": None, "s": None}


def test_encrypted_input_is_removed() -> None:
    assert FORM.check({"a": "x", "s": "cipher"}, ("a",)) == {"a": None, "b": None, "s": None}


def test_computed_requirement_is_left_to_port() -> None:
    form = Form.read({"properties": {"a": {"type": "string"}}, "required": {"jqQuery": "[]"}})

    assert form.check({}, ()) == {"a": None}


@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_non_boolean_dry_run_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="must be true or false"):
        is_dry_run({"dry_run": value})


def test_dry_run_is_off_by_default() -> None:
    assert not is_dry_run({})
    assert is_dry_run({"dry_run": True})
