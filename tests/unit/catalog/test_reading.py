"""YAML and JSON text that is read, and text that is refused."""

from typing import Any

import pytest
from slipway.catalog.documents import read_document
from slipway.errors import DocumentRefused


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("description: the customer's basket\nreplicas: 2\n", "replicas", 2),
        ("a: {b: [x, {c: 1.5}]}\n", "a", {"b": ["x", {"c": 1.5}]}),
        ("a: &x\n  b: 1\nc: *x\n", "c.b", 1),
        ("a: 0x1F\n", "a", 31),
        ("a: ~\nb:\n", "b", None),
        ("a: True\n", "a", True),
        ("a: '1'\n", "a", "1"),
        ("a: 1.4.0\n", "a", "1.4.0"),
        ("a: app-{{ .Release.Name }}\n", "a", "app-{{ .Release.Name }}"),
        ("l: [x, y1]\n", "l.1", "y1"),
        ("l: [x]\n", "l.1", None),
        ("l: [x]\n", "l.999999", None),
        ("a: 1\n", "b.c", None),
        ("a: &x 1\nb: &x 2\nc: *x\n", "c", 2),
        ("<<: {r: 3}\nr: 2\n", "r", 2),
        ("", "a", None),
        ("null\n", "a", None),
        ('\ufeff{"a": "é\\ud83d\\ude00"}', "a", "é😀"),
    ],
)
def test_value_is_read(text: str, path: str, value: object) -> None:
    form: Any = "json" if text.endswith("}") else "yaml"

    assert repr(read_document(text, form).read(path)) == repr(value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("on", "true or a text"),
        ("y", "a text or true"),
        ("010", "8 or 10"),
        ("1_000", "1000 or a text"),
        ("12e3", "a text or 12000.0"),
        ("1:20", "80 or a text"),
        ("0o17", "a text or 15"),
        ("2021-03-01", "a date or a text"),
        ("2001-99-99", "a date or a text"),
        ("+_1", "a text or a number"),
        ("9" * 200, "a text or a number"),
    ],
)
def test_value_is_refused_when_readers_disagree(written: str, said: str) -> None:
    document = read_document(f"b: 1\na: {written}\n", "yaml")

    with pytest.raises(DocumentRefused) as caught:
        document.read("a")

    assert caught.value.problem.startswith(f"has '{written[:40]}' at line 2, column 4")
    assert f"readers of YAML take for {said}. Put it in quotes" in caught.value.problem
    assert document.read("b") == 1


@pytest.mark.parametrize(
    "text",
    [
        "codes:\n  1: one\n  true: yes\n",
        "1: x\n'1': y\n1.0: z\n",
        "a: {<<: {b: 1}, b: 2}\n",
        "a: 1\n...\n",
        "a:\t1\nb: 'x\ty'\n",
        "a: 'it''s'\r\nb: \"x\\\r\n  y\"\r\n",
    ],
)
def test_unusual_yaml_is_kept_as_typed(text: str) -> None:
    assert read_document(text, "yaml").text == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "must be an object, but is a list at line 1, column 1"),
        ("just text", "must be an object, but is a text at line 1"),
        ("a: [1", "is not valid YAML at line 1, column 6: did not find expected ',' or ']'"),
        ("a: 1\n  b: 2\n", "is not valid YAML at line 2, column 4"),
        ("\ta: 1", "is not valid YAML at line 1, column 1"),
        ("ingress:\n  host: {{ .Values.host }}\n", "an unquoted '{{ … }}' at line 2, column 9"),
        ("a:\n  - {{ x }}\n", "an unquoted '{{ … }}' at line 2, column 5"),
        ("{{ x }}: 1\n", "an unquoted '{{ … }}' at line 1, column 1"),
        ("a: {{ x }}-b\n", "an unquoted '{{ … }}' at line 1, column 4"),
        ("{{- if x }}\na: 1\n", "an unquoted '{{ … }}' at line 1, column 1"),
        ('a: "x" {{ y }}\n', "An unquoted '{{ … }}' is not YAML: put it in quotes"),
        ("? [a]\n: 1\n", "has a list as a key at line 1, column 3"),
        ("? {a: 1}\n: 1\n", "has an object as a key at line 1"),
        ("a: &x 1\n*x : 2\n", "has an alias as a key at line 2, column 1"),
        ("a: 1\nb: 2\n'a': 3\n", "has the duplicate key 'a' at line 3, column 1"),
        ("on: 1\ntrue: 2\n", "has the duplicate key 'true' at line 2"),
        ("on: 1\n'on': 2\n", "has the duplicate key 'on' at line 2"),
        ("1: x\n0x1: y\n", "has the duplicate key '0x1' at line 2"),
        ("<<: {a: 1}\n<<: {b: 1}\n", "has the duplicate key '<<' at line 2"),
        ("a: 1\n---\nb: 2\n", "must be one YAML document, but a second starts at line 2, column 1"),
        ("%YAML 1.1\n---\na: 1\n", "must not use YAML directives, but has one at line 1"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "must not use YAML directives"),
        ("%X\n---\na: 1\n", "is not valid YAML at line 1"),
        ("a: !!python/object/apply:os.system [id]", "must not use YAML tags"),
        (
            "a: !include /etc/passwd",
            "must not use YAML tags, but has '!include' at line 1",
        ),
        ("a: &a [*a]", "uses alias '*a' before its anchor is complete, at line 1, column 8"),
        ("a: &a 1\nb: &a [*a]", "uses alias '*a' before its anchor is complete, at line 2"),
        ("a: *b", "uses alias '*b' before its anchor is complete, at line 1, column 4"),
        ("a: " + "[" * 100, "must be at most 40 levels deep, but is deeper at line 1, column 42"),
        (
            "a: " + "[" * 50_000,
            "is not valid YAML at line 1, column 1003: exceeded maximum",
        ),
        ("a:\n" + "".join("  " * n + "- a:\n" for n in range(1, 90)), "at most 40 levels deep"),
        ("? " * 5000, "has an object as a key at line 1"),
        ("a: \x00", "is not valid YAML: it has the character U+0000 at line 1, column 4"),
        ("a: \x7f", "U+007F"),
        (
            "# c\u2028a: 1\n",
            "U+2028 at line 1, column 4, which is a line break in YAML 1.1",
        ),
        ("a: 'x\x85y'\n", "U+0085 at line 1, column 6, which is a line break in YAML 1.1"),
        ("a: 1\n\ufeffb: 1\n", "U+FEFF at line 2, column 1"),
        ("a: \ud800", "must be text: it has half of a surrogate pair"),
        ("a: " + "x" * 262_144, "must have at most 262144 bytes, but has 262147 bytes"),
        ("a: " + "é" * 131_072, "must have at most 262144 bytes, but has 262147 bytes"),
    ],
)
def test_ambiguous_yaml_is_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        read_document(text, "yaml")

    assert said in caught.value.problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not valid JSON at line 1, column 1"),
        ('{\n  "a": 1,\n}', "is not valid JSON at line 2, column 9"),
        ("[]", "must be an object, but is a list"),
        ("null", "must be an object, but is null"),
        ('{"a": "\\ud800"}', "must be text: it has half of a surrogate pair at line 1, column 7"),
        ('{"a": NaN}', "must be JSON, which has no NaN"),
        ('{"a": -Infinity}', "must be JSON, which has no -Infinity"),
        ('{"a": 1, "\\u0061": 2}', "has the duplicate key 'a' at line 1, column 10"),
        (f'{{"a": {"9" * 5000}}}', "must be JSON of reasonable depth and numbers"),
        ("[" * 200_000, "must be JSON of reasonable depth"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "at most 40 levels deep"),
        ('{"a": "' + "x" * 262_144 + '"}', "must have at most 262144 bytes, but has 262153 bytes"),
    ],
)
def test_ambiguous_json_is_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        read_document(text, "json")

    assert said in caught.value.problem


@pytest.mark.parametrize("width", [9, 5000])
def test_aliases_that_multiply_are_refused_unexpanded(width: int) -> None:
    lines = ["a0: &a0 [" + ", ".join(["x"] * 9) + "]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, 9)]

    with pytest.raises(DocumentRefused, match="at most 20000 values with aliases written out"):
        read_document("\n".join(lines), "yaml")


def test_merge_keys_in_a_chain_are_followed() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: *a{i - 1}, k{i}: 1}}" for i in range(1, 80)]

    with pytest.raises(DocumentRefused, match="has 'x' by the merge key '<<' at line 80"):
        read_document("\n".join(lines), "yaml").read("a79.x")


@pytest.mark.parametrize(("text", "syntax"), [("a: .inf\n", "yaml"), ('{"a": 1e999}', "json")])
def test_number_outside_json_is_refused(text: str, syntax: Any) -> None:
    with pytest.raises(DocumentRefused, match="which is not JSON, at line 1"):
        read_document(text, syntax).read("a")
