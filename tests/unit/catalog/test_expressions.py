"""Port's expressions: results, types, visible values and refusals."""

from typing import Any

import pytest
from slipway.catalog.expressions import evaluate, has_exact_numbers, parse_template
from slipway.errors import ExpressionRefused


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ .inputs.n + 1 }}", 3),
        ("{{ .inputs.list }}", ["a", 1, True, None]),
        ("{{ .inputs.none }}", None),
        ("n is {{ .inputs.n }}", "n is 2"),
        ("{{ .inputs.n }}{{ .inputs.flag }}", "2true"),
        (" {{ .inputs.n }}", " 2"),
        ('{{ "{{" }}', "{{"),
        ('{{ "a}}b" }}', "a}}b"),
        ('{{ "\\(.inputs.n)}}" }}', "2}}"),
        ("{{ {a: {b: .inputs.n}} }}", {"a": {"b": 2}}),
        ("{{ .inputs.n # two\n}}", 2),
        ("no expression }}", "no expression }}"),
    ],
)
def test_text_is_evaluated(text: str, value: Any) -> None:
    inputs = {"n": 2, "flag": True, "list": ["a", 1, True, None], "none": None}

    assert evaluate(text, {"inputs": inputs}) == value


def test_values_are_evaluated_within_lists_and_objects() -> None:
    value = {"{{ .inputs.a }}": ["{{ .inputs.a }}", 1]}

    assert evaluate(value, {"inputs": {"a": "x"}}) == {"{{ .inputs.a }}": ["x", 1]}


def test_result_is_not_evaluated_again() -> None:
    assert evaluate("{{ .inputs.a }}", {"inputs": {"a": "{{ 1 + 1 }}"}}) == "{{ 1 + 1 }}"


@pytest.mark.parametrize("text", ["{{ .a", "{{ }}", '{{ "a }}', "{{ } }}", '{{ "\\(.a }}'])
def test_endless_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has an"):
        parse_template(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ 1, 2 }}", "must give one result, but gives 2"),
        ("{{ empty }}", "must give one result, but gives none"),
        ("{{ .inputs + 1 }}", "fails: object"),
        ("a {{ null }}", "gives null, which cannot be part of a text"),
        ("a {{ [1] }}", "gives [1], which cannot be part of a text"),
        ("a {{ {} }}", "gives {}, which cannot be part of a text"),
    ],
)
def test_result_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ExpressionRefused) as caught:
        evaluate(text, {"inputs": {}})

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "source", ["a b", ".a |", "(1", 'import "a" as a; 1', 'include "a"; 1', "$missing"]
)
def test_invalid_jq_expression_is_refused(source: str) -> None:
    (expression,) = parse_template(f"{{{{ {source} }}}}").expressions

    with pytest.raises(ValueError, match="compile error"):
        expression.compile()


@pytest.mark.parametrize(
    ("source", "references"),
    [
        (".inputs.by", {("inputs", "by")}),
        ('.inputs["a b"]', {("inputs", "a b")}),
        ('.inputs."a-b"', {("inputs", "a-b")}),
        (".inputs | .by", {("inputs", None)}),
        ('"text \\(.inputs.a) .inputs.b"', {("inputs", "a")}),
        (". as $it | fill($it.settings.url; {a: 1})", {("settings", "url")}),
        (".current.inputs.x", {("current", "inputs")}),
        ("[.inputs.a, .parts.b]", {("inputs", "a"), ("parts", "b")}),
        ("{a: .inputs.a}", {("inputs", "a")}),
        (".inputs.a.identifier", {("inputs", "a")}),
    ],
)
def test_references_of_an_expression_are_found(source: str, references: set[Any]) -> None:
    (expression,) = parse_template(f"{{{{ {source} }}}}").expressions

    assert expression.references == references


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (".input.by", ("input",)),
        (".inputs.by + .step", ("step",)),
        ("if .a then 1 else 2 end", ("a",)),
        (".inputs | .by", ()),
        ("[.inputs[] | .x]", ()),
        (".inputs.list | map(.x)", ()),
        ("any(.inputs.list[]; .x)", ()),
    ],
)
def test_certainly_unknown_names_are_found(source: str, names: tuple[str]) -> None:
    (expression,) = parse_template(f"{{{{ {source} }}}}").expressions

    assert expression.unknown_roots == names


@pytest.mark.parametrize(
    ("source", "encoder"),
    [
        (".a | @sh", "@sh"),
        ('.a | gsub("|"; "") | hcl', "hcl"),
        ("(.a | @sh)", None),
        (".a | @sh | .b", None),
        ("@sh", None),
        ('.a | "@sh"', None),
        (".a | @text", None),
        ("if .b then .a | @sh else .a end", None),
    ],
)
def test_encoder_is_the_last_filter(source: str, encoder: str | None) -> None:
    (expression,) = parse_template(f"{{{{ {source} }}}}").expressions

    assert expression.encoder == encoder


@pytest.mark.parametrize(
    ("value", "exact"),
    [(2**53, True), (2**53 + 1, False), ([{"a": 10**30}], False), (True, True), ("9" * 30, True)],
)
def test_numbers_are_exact_up_to_a_double(value: Any, exact: bool) -> None:
    assert has_exact_numbers(value) is exact


def test_fill_puts_encoded_values_into_a_text() -> None:
    text = '{{ fill("https://x/{a}?{b}"; {a: "c/d", b: 1}) }}'

    assert evaluate(text, {}) == "https://x/c%2Fd?1"
    assert evaluate("{{ fill(null; {a: 1}) }}", {}) is None
