"""Values documents: kept as typed, and read with limits."""

import json

import pytest
from slipway.actions.values import MAX_BYTES, read_values, with_defaults
from slipway.errors import InvalidInput


def test_given_an_object_when_read_then_the_file_is_json_in_the_order_typed() -> None:
    values = read_values("custom_values", {"b": 1, "a": {"ü": True}})

    assert values.extension == "json"
    assert values.text == '{\n  "b": 1,\n  "a": {\n    "ü": true\n  }\n}\n'


def test_given_yaml_text_when_read_then_comments_and_order_stay() -> None:
    typed = "# scale with care\nb: 1   # two spaces more\na: 'x'\n"

    values = read_values("custom_values", typed)

    assert (values.text, values.extension) == (typed, "yaml")
    assert values.data == {"b": 1, "a": "x"}


@pytest.mark.parametrize("typed", ["", "\n", "# only a comment"])
def test_given_empty_yaml_when_read_then_it_is_an_empty_object(typed: str) -> None:
    assert read_values("custom_values", typed).data == {}


def deep(levels: int) -> dict[str, object]:
    """An object around so many lists."""
    inner: object = 1
    for _ in range(levels):
        inner = [inner]
    return {"a": inner}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (None, "must be an object, not empty"),
        ([1], "must be an object, not a list"),
        (True, "must be an object, not true or false"),
        (3, "must be an object, not a number"),
        ("- a\n- b", "must be an object, not a list"),
        ("just text", "must be an object, not a text"),
        ("a: [1", "is not valid YAML at line 2, column 1"),
        ("a: 1\nb: 'x\n", "is not valid YAML at line 3, column 1"),
        ("a: 1\na: 2", 'line 2, column 1: found duplicate key "a"'),
        ("a: 1\n---\nb: 2", "must be one YAML document, but a second starts at line 2"),
        ("\ta: 1", "is not valid YAML at line 1, column 1"),
        ("a: \x00", "is not valid YAML"),
        ("a: !!python/object/apply:os.system [id]", "must not use YAML tags"),
        ("a: !include /etc/passwd", "must not use YAML tags (!include at line 1, column 4)"),
        ("a: &a [*a]", "uses alias '*a' before its anchor is complete"),
        ("[" * 100, "must be at most 40 levels deep"),
        ({"a": float("nan")}, "without NaN"),
        (deep(39), "must be at most 40 levels deep"),
        (deep(60_000), "must be JSON of reasonable depth"),
        ({"a": "\ud800"}, "must be text: it has half of a surrogate pair"),
        ({"\udfff": 1}, "must be text: it has half of a surrogate pair"),
    ],
)
def test_given_a_bad_document_when_read_then_input_and_position_are_named(
    typed: object, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_values("consumers_values", typed)

    assert str(caught.value).startswith("Input 'consumers_values' ")
    assert said in str(caught.value)


def test_given_as_many_levels_as_may_be_when_read_then_json_and_yaml_agree() -> None:
    assert read_values("custom_values", deep(38)).data == deep(38)
    assert read_values("custom_values", json.dumps(deep(38))).data == deep(38)
    with pytest.raises(InvalidInput, match="at most 40 levels deep"):
        read_values("custom_values", json.dumps(deep(39)))


def test_given_aliases_that_multiply_when_read_then_refused_before_they_are_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]

    with pytest.raises(InvalidInput, match="at most 20000 values with aliases written out"):
        read_values("custom_values", "\n".join(lines))


def test_given_an_ordinary_anchor_when_read_then_it_is_kept() -> None:
    typed = "base: &base {cpu: 1}\nworker:\n  <<: *base\n"

    assert read_values("custom_values", typed).text == typed


@pytest.mark.parametrize("typed", ["a: " + "x" * MAX_BYTES, {"a": "x" * MAX_BYTES}])
def test_given_more_than_256_kib_when_read_then_the_size_is_named(typed: object) -> None:
    with pytest.raises(InvalidInput, match="must be at most 256 KiB, but has 256 KiB"):
        read_values("custom_values", typed)


def test_given_missing_defaults_when_added_to_yaml_then_the_rest_stays_as_typed() -> None:
    values = read_values("common_values", "image:\n  name: shop   # ours\nx: 'q'\n")

    filled = with_defaults(values, {("image", "tag"): "1.10", ("replicas",): 2})

    assert filled.text == "image:\n  name: shop   # ours\n  tag: '1.10'\nx: 'q'\nreplicas: 2\n"


def test_given_nothing_missing_when_defaults_are_added_then_the_text_is_untouched() -> None:
    typed = "replicas:    2 # spaced\n"

    assert with_defaults(read_values("c", typed), {("replicas",): 2}).text == typed


def test_given_json_when_defaults_are_added_then_they_come_last() -> None:
    filled = with_defaults(read_values("c", {"a": 1}), {("image", "tag"): "1.0"})

    assert json.loads(filled.text) == {"a": 1, "image": {"tag": "1.0"}}
    assert filled.text.endswith("}\n")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("# replicas: 5\n\n# more\n", "# replicas: 5\n# more\nreplicas: 2\n"),
        ("---\n# nothing yet\n", "# nothing yet\nreplicas: 2\n"),
        ("{} # nothing yet\n", "   # nothing yet\nreplicas: 2\n"),
    ],
)
def test_given_comments_only_when_defaults_are_added_then_the_comments_stay(
    typed: str, text: str
) -> None:
    assert with_defaults(read_values("f", typed), {("replicas",): 2}).text == text


def test_given_an_anchors_name_used_again_when_read_then_the_last_one_counts() -> None:
    assert read_values("f", "a: &x 1\nb: &x 2\nc: *x\n").data["c"] == 2


@pytest.mark.parametrize("typed", ["? - - 1\n", "? [[a]]: b\n", "a:  # c\n\u2028x}\n\x85"])
def test_given_what_the_parser_cannot_hold_when_read_then_the_input_is_named(typed: str) -> None:
    with pytest.raises(InvalidInput, match="Input 'f' is not valid YAML"):
        read_values("f", typed)


def test_given_yaml_that_does_not_survive_writing_when_defaults_are_added_then_refused() -> None:
    values = read_values("common_values", "? >-\n\n")

    with pytest.raises(InvalidInput, match="'common_values' holds characters"):
        with_defaults(values, {("replicas",): 2})
