"""The editor of YAML and JSON text: what each edit writes, and what it refuses."""

from typing import Any

import pytest
from slipway.catalog.documents import Document, read_document
from slipway.errors import DocumentRefused


def edited(text: str, *edits: tuple[Any, ...], form: Any = "yaml") -> str:
    """Return a text after edits, each a method's name and its arguments."""
    document: Document = read_document(text, form)
    for method, *arguments in edits:
        document = getattr(document, method)(*arguments)
    return document.text


@pytest.mark.parametrize(
    ("text", "path", "value", "after"),
    [
        ("a: 1 # c\n", "a", 2, "a: 2 # c\n"),
        ("a:   'x'   # c\nb: 1\n", "a", "y z", 'a:   "y z"   # c\nb: 1\n'),
        ("a: first\n  second\nb: 1\n", "a", True, "a: true\nb: 1\n"),
        ("a: |\n  x\n\n# c\nb: 1\n", "a", "x", "a: x\n\n# c\nb: 1\n"),
        ("a: # none yet\nb: 1\n", "a", 2, "a: 2 # none yet\nb: 1\n"),
        ("a: ~ # n\n", "a.b.c", 1, "a: {b: {c: 1}} # n\n"),
        ("a:\nb: 1\n", "a.b.c", 1, "a:\n  b:\n    c: 1\nb: 1\n"),
        ("a: # c\n  - x # d\n  # e\nb: 1\n", "a", 5, "a: 5 # c\n  # e\nb: 1\n"),
        ("a: # c\n    x: 1\nb: 1\n", "a", {"q": [2]}, "a: # c\n    q:\n      - 2\nb: 1\n"),
        ("a:\n- x\nb: 1\n", "a", {"q": 1}, "a:\n  q: 1\nb: 1\n"),
        ("a: []\n", "a", [{"k": "v"}], "a: [{k: v}]\n"),
        ("a: {x: 1, q: [2]} # c\n", "a.q", 3, "a: {x: 1, q: 3} # c\n"),
        ("- a: 1\n"[2:] + "b:\n  - x: 1\n    z: 2\n", "b.0.x", 9, "a: 1\nb:\n  - x: 9\n    z: 2\n"),
        ('"a.b":\n  c: 1\n', '"a.b".c', 2, '"a.b":\n  c: 2\n'),
        ("? a\n: 1\n", "a", 2, "? a\n: 2\n"),
        ("b: &x 1\na: *x\n", "a", 2, "b: &x 1\na: 2\n"),
        ("on: 1\na: 0777\nb: 1\n", "b", 2, "on: 1\na: 0777\nb: 2\n"),
        ("😀: é # 😀\na: 1\n", "a", 2, "😀: é # 😀\na: 2\n"),
    ],
)
def test_set_replaces_only_the_value(text: str, path: str, value: object, after: str) -> None:
    assert edited(text, ("set", path, value)) == after


def test_set_of_an_equal_value_keeps_its_spelling() -> None:
    text = "a: 0x10\nb: 'x'\nc: 1.50\n"

    assert edited(text, ("set", "a", 16), ("set", "b", "x"), ("set", "c", 1.5)) == text


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("a: 1\n", "r", "a: 1\nr: 2\n"),
        ("a: 1", "r", "a: 1\nr: 2"),
        ("a: 1\n\n# end\n", "r", "a: 1\n\n# end\nr: 2\n"),
        ("a: 1\r\nb:\r\n  - x", "r", "a: 1\r\nb:\r\n  - x\r\nr: 2"),
        ("\ufeffa: 1\n", "r", "\ufeffa: 1\nr: 2\n"),
        ("---\na: 1\n...\n# end\n", "r", "---\na: 1\nr: 2\n...\n# end\n"),
        ("", "r", "r: 2\n"),
        ("# none\n", "r", "# none\nr: 2\n"),
        ("---\n# none\n", "r", "---\n# none\nr: 2\n"),
        ("--- # none", "r", "--- # none\nr: 2"),
        ("{} # none\n", "r", "{r: 2} # none\n"),
        ("{a: 1, # c\n b: 2,\n}\n", "r", "{a: 1, # c\n b: 2, r: 2,\n}\n"),
        ("{\n  a: 1\n}\n", "r", "{\n  a: 1,\n  r: 2\n}\n"),
        ("  a: 1\n", "r", "  a: 1\n  r: 2\n"),
        ("i:\n    a: 1 # c\n    # d\nb: 1\n", "i.r", "i:\n    a: 1 # c\n    r: 2\n    # d\nb: 1\n"),
        ("i:\n  a: |\n    x\n\nb: 1\n", "i.r", "i:\n  a: |\n    x\n  r: 2\n\nb: 1\n"),
        ("i:\n  a: |+\n    x\n\nb: 1\n", "i.r", "i:\n  a: |+\n    x\n\n  r: 2\nb: 1\n"),
        ("a: |\n  x", "r", "r: 2\na: |\n  x"),
        ("l:\n- a: 1\n  b: 2\n", "l.0.r", "l:\n- a: 1\n  b: 2\n  r: 2\n"),
        ("i: &unused\n  a: 1\n", "i.r", "i: &unused\n  a: 1\n  r: 2\n"),
        ("b: &b {x: 1}\ni:\n  <<: *b\n", "i.r", "b: &b {x: 1}\ni:\n  <<: *b\n  r: 2\n"),
    ],
)
def test_missing_key_is_added_next_to_the_others(text: str, path: str, after: str) -> None:
    assert edited(text, ("add_missing", path, 2)) == after


def test_add_missing_keeps_existing_values() -> None:
    text = "a: 1\nb:\n  c: x\n"

    assert edited(text, ("add_missing", "a", 2), ("add_missing", "b.c", 2)) == text


@pytest.mark.parametrize(
    ("text", "value", "after"),
    [
        ("l:\n- a # c\n# d\nb: 1\n", "x", "l:\n- a # c\n- x\n# d\nb: 1\n"),
        (
            "l:\n  - a\n",
            {"k": 1, "m": [2, {}]},
            "l:\n  - a\n  - k: 1\n    m:\n      - 2\n      - {}\n",
        ),
        ("l: [a]\n", 1, "l: [a, 1]\n"),
        ("l: [\n  a, # c\n  b\n]\n", 1, "l: [\n  a, # c\n  b, 1\n]\n"),
        ("l: [\n  a,\n  b,\n  ]\n", 1, "l: [\n  a,\n  b,\n  1,\n  ]\n"),
        ("l: []\n", 1, "l: [1]\n"),
        ("l:\nb: 1\n", 1, "l:\n  - 1\nb: 1\n"),
        ("b: 1\n", 1, "b: 1\nl:\n  - 1\n"),
    ],
)
def test_append_adds_the_last_item(text: str, value: object, after: str) -> None:
    assert edited(text, ("append", "l", value)) == after


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("a: 1 # c\n# d\nb: 2\n", "a", "# d\nb: 2\n"),
        ("a: 1\nb:\n  c: |\n    x\n\nd: 1\n", "b", "a: 1\n\nd: 1\n"),
        ("a: {x: 1, z: 2, w: 3}\n", "a.z", "a: {x: 1, w: 3}\n"),
        ("a: {x: 1, z: 2}\n", "a.z", "a: {x: 1}\n"),
        ("a:\n  b: 1\nc: 2\n", "a.b", "a: {}\nc: 2\n"),
        ("# c\na: 1\n", "a", "# c\n{}\n"),
        ("l:\n- a\n- b\n- c\n", "l.1", "l:\n- a\n- c\n"),
        ("l:\n- a: 1\n  b: 2\n", "l.0.a", "l:\n- b: 2\n"),
        ("l: [a, b]\n", "l.0", "l: [b]\n"),
        ("a: 1\n", "b.c", "a: 1\n"),
    ],
)
def test_remove_deletes_the_key_and_its_lines(text: str, path: str, after: str) -> None:
    assert edited(text, ("remove", path)) == after


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        ('{"a":1}', ("set", "b", [2]), '{"a":1,"b":[2]}'),
        ('{"a": 1, "c": 2}', ("set", "b", "é"), '{"a": 1, "c": 2, "b": "é"}'),
        ('\ufeff{\r\n\t"a": 1\r\n}', ("set", "b", 2), '\ufeff{\r\n\t"a": 1,\r\n\t"b": 2\r\n}'),
        ("{}\n", ("set", "a.b", 1), '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('{"a": {}}', ("set", "a.b", 1), '{"a": {"b": 1}}'),
        ('{"a": 1.50, "b": 2}', ("set", "b", None), '{"a": 1.50, "b": null}'),
        ('{\n  "a": [\n    1\n  ]\n}', ("append", "a", 2), '{\n  "a": [\n    1,\n    2\n  ]\n}'),
        ('{"a" : 1 , "b" : 2}', ("remove", "a"), '{"b" : 2}'),
        ('{"a": {"b": 1}}', ("remove", "a.b"), '{"a": {}}'),
        ('{"\\u0061": 1}', ("set", "a", 2), '{"\\u0061": 2}'),
    ],
)
def test_json_is_edited_in_place(text: str, edit: tuple[Any, ...], after: str) -> None:
    assert edited(text, edit, form="json") == after


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "no",
        "y",
        "1_000",
        "0777",
        "12e3",
        "2021-03-01",
        "1:20",
        "1.10",
        "null",
        "",
        "a: b",
        "{{x}}",
    ],
)
def test_ambiguous_text_is_quoted(text: str) -> None:
    assert edited("a: 1\n", ("set", "a", text)) == f'a: "{text}"\n'
    assert edited("a: 1\n", ("set", "a", {text: text})) == f'a: {{"{text}": "{text}"}}\n'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1e-07, "1.0e-07"),
        (1e22, "1.0e+22"),
        (10**20, "1" + "0" * 20),
        ("v1.4.0-rc.1", "v1.4.0-rc.1"),
        ("a\nb\t", '"a\\nb\\t"'),
        ("\u2028\x85\x00", '"\\u2028\\u0085\\u0000"'),
        ("é😀", '"é😀"'),
    ],
)
def test_value_is_read_alike_by_every_reader(value: object, written: str) -> None:
    assert edited("a: x\n", ("set", "a", value)) == f"a: {written}\n"


@pytest.mark.parametrize(
    ("text", "edit", "said"),
    [
        ("a: &x\n  b: 1\nc: *x\n", ("set", "a.b", 2), "has the alias '*x' at line 3, column 4"),
        ("a: &x {b: 1}\nc: *x\n", ("set", "c.b", 2), "has the alias '*x' at line 2, column 4"),
        ("a: &x [1]\nc: *x\n", ("append", "a", 2), "has the alias '*x' at line 2"),
        ("a:\n  b: &x 1\nc: *x\n", ("remove", "a"), "has the alias '*x' at line 3"),
        ("b: 1\na: &x 1\n", ("set", "a", 2), "has the anchor '&x' at line 2, column 4"),
        ("b: &b {r: 1}\n<<: *b\n", ("set", "r", 2), "has 'r' by the merge key '<<' at line 2"),
        ("b: &b {r: 1}\nc: {<<: *b, r: 2}\n", ("remove", "c.r"), "by the merge key '<<' at line 2"),
        ("b: &b {r: 1}\nc: &c {<<: [*b]}\n<<: *c\n", ("set", "r", 2), "merge key '<<' at line 3"),
        ("on: 1\n", ("set", "on", 2), "which readers of YAML take for true or a text"),
        (
            "1: x\n",
            ("set", '"1"', 2),
            "at line 1, column 1, which readers of YAML take for 1.",
        ),
        ("a: x\n", ("set", "a.b", 2), "has a text as 'a' at line 1, column 4, but 'a.b' needs"),
        ("a: [x]\n", ("set", "a.b", 2), "has a list as 'a' at line 1"),
        ("a: [x]\n", ("set", f"a.{'9' * 5000}", 2), "has a list as 'a' at line 1"),
        ("a: [x]\n", ("set", "a.3", 2), "has only 1 items in the list at line 1"),
        ("a: x\n", ("append", "a", 2), "must have a list as 'a', but has a text at line 1"),
        (
            "k: {a}\nb: 1\n",
            ("set", "k.a", 2),
            "is written in a way that Slipway does not edit 'k.a'",
        ),
        ("k: [a: 1]\n", ("set", "k.0.b", 2), "does not edit 'k.0.b' at line 1, column 5"),
        ("a: 1\n", ("set", "a", "\ud800"), "it has half of a surrogate pair"),
        ("a: 1\n", ("set", "a", float("nan")), "cannot have NaN"),
        ("a: 1\n", ("set", "a", 10**5000), "cannot have a number of so many digits"),
        (
            "a: 1\n",
            ("set", "b", "x" * 262_144),
            "at most 262144 bytes, but has 262153 bytes",
        ),
    ],
)
def test_edit_that_would_change_more_is_refused(
    text: str, edit: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(DocumentRefused) as caught:
        edited(text, edit)

    assert said in caught.value.problem


def test_too_deep_value_is_refused() -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]

    with pytest.raises(DocumentRefused, match="at most 40 levels deep"):
        edited("a: 1\n", ("set", "a", value))


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, (1, 2)])
def test_non_json_value_is_a_caller_error(value: object) -> None:
    with pytest.raises(TypeError, match="of JSON"):
        edited("a: 1\n", ("set", "a", value))


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", 'a"b', '"a', '"a"b', " a"])
def test_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        read_document("a: 1\n", "yaml").read(path)
