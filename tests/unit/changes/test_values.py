"""Values documents as they are typed into a form."""

from typing import Any

import pytest
from slipway.changes.values import read_values
from slipway.errors import InvalidInput


def test_object_becomes_json_in_the_order_typed() -> None:
    document = read_values("custom_values", {"b": 1, "a": {"ü": True}}).document

    assert document.syntax == "json"
    assert document.text == '{\n  "b": 1,\n  "a": {\n    "ü": true\n  }\n}\n'


@pytest.mark.parametrize("typed", ["", "\n", "# only a comment", "# c\nb: 1   # two\na: 'x'\n"])
def test_yaml_is_kept_as_typed(typed: str) -> None:
    document = read_values("custom_values", typed).document

    assert (document.syntax, document.text) == ("yaml", typed)


def deep(levels: int) -> dict[str, object]:
    """An object around so many lists."""
    inner: object = 1
    for _ in range(levels):
        inner = [inner]
    return {"a": inner}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (None, "must be an object, but is null at line 1, column 1"),
        ([1], "must be an object, but is a list at line 1"),
        (True, "must be an object, but is true at line 1"),
        ("just text", "must be an object, but is a text at line 1"),
        ("a: 1\nb: 'x\n", "is not valid YAML at line 3, column 1"),
        ({"a": float("nan")}, "without NaN"),
        (deep(39), "must be at most 40 levels deep"),
        (deep(60_000), "must be JSON of reasonable depth"),
        ({"a": "\ud800"}, "must be text: it has half of a surrogate pair"),
        ({"\udfff": 1}, "must be text: it has half of a surrogate pair"),
        ({"a": "x" * 262_144}, "must have at most 262144 bytes, but has 262158 bytes"),
    ],
)
def test_bad_document_is_refused_with_its_input(typed: object, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_values("consumers_values", typed)

    assert str(caught.value).startswith("Input 'Consumers Common Values' ")
    assert said in str(caught.value)


def test_as_many_levels_as_may_be_are_read() -> None:
    assert read_values("custom_values", deep(38)).read("a") == deep(38)["a"]


def test_missing_value_is_added() -> None:
    values = read_values("common_values", "image:\n  name: shop   # ours\nx: 'q'\n")

    filled = values.with_missing("image.tag", "1.10").with_missing("replicas", 2)

    after = "image:\n  name: shop   # ours\n  tag: \"1.10\"\nx: 'q'\nreplicas: 2\n"
    assert filled.document.text == after


@pytest.mark.parametrize("method", ["read", "with_missing"])
def test_value_in_doubt_is_refused_with_its_input(method: str) -> None:
    values = read_values("common_values", "replicas: 010\n")
    arguments: list[Any] = ["replicas"] if method == "read" else ["replicas", 2]

    with pytest.raises(
        InvalidInput, match=r"'Events Pipeline Common Values' has '010' at line 1, column 11"
    ):
        getattr(values, method)(*arguments)
