"""Test the expression language: grammar, values, and invalid input."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.github.runner.evaluation import Scope, condition, render, to_text
from sandbox.github.runner.expressions import (
    Binary,
    Call,
    Context,
    ExpressionError,
    Index,
    Literal,
    Node,
    Not,
    parse,
    pieces,
)

CONTEXTS: dict[str, Any] = {
    "github": {
        "ref": "refs/heads/main",
        "event": {"labels": ["Bug", "UI"], "n": 3, "on": True, "huge": -(10**400)},
    },
    "env": {"A": "x"},
}


def scope(status: str = "success") -> Scope:
    return Scope(
        CONTEXTS,
        {
            "success": lambda: status == "success",
            "failure": lambda: status == "failure",
            "always": lambda: True,
            "cancelled": lambda: status == "cancelled",
        },
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 == 1.0", True),
        ("'A' == 'a'", True),
        ("null == 0", True),
        ("'' == 0", True),
        ("'0x10' == 16", True),
        ("'x' == 1", False),
        (f"'0x{'f' * 400}' == 1", False),
        ("github.event.huge == 1", False),
        ("true && 'yes' || 'no'", "yes"),
        ("false && 'yes' || 'no'", "no"),
        ("!github.event.on", False),
        ("github.EVENT.labels[1]", "UI"),
        ("github['event']['missing'].deeper", None),
        ("github.event.labels[9]", None),
        ("NaN == NaN", False),
        ("-1.5e1", -15.0),
        ("startsWith(github.ref, 'REFS/heads/')", True),
        ("'it''s'", "it's"),
        ("(1 == 2) || !(false)", True),
    ],
)
def test_values(text: str, value: object) -> None:
    assert scope().evaluate(parse(text)) == value


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("matrix.os", "matrix"),
        ("hashFiles('x')", "hashfiles"),
        ("github.event.labels.*.name", ".*"),
        ("1 +", "+"),
        ("'open", "'open"),
        ("startsWith('a')", "startswith"),
        ("1 < 2", "<"),
        ("fromJSON('1')", "fromjson"),
        ("(1", "expected ')'"),
        ("", "end of text"),
        ("a b", "'b'"),
        ("1x", "1x"),
    ],
)
def test_error_names_the_invalid_or_unknown_part(text: str, named: str) -> None:
    with pytest.raises(ExpressionError) as error:
        scope().evaluate(parse(text))
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("text", "status", "value"),
    [
        ("", "success", True),
        ("", "failure", False),
        ("github.event.on", "failure", False),
        ("always()", "failure", True),
        ("${{ failure() }}", "failure", True),
        ("failure() && false", "failure", False),
        ("!cancelled()", "failure", True),
        ("${{ false }} text", "success", True),
    ],
)
def test_conditions(text: str, status: str, value: bool) -> None:
    assert condition(text, scope(status)) is value


def test_text_around_expressions_is_kept() -> None:
    assert render("a ${{ env.A }} ${{ '}}' }} ${{ null }}", scope()) == "a x }} "
    assert render("${{ github.event.n }}", scope()) == 3
    assert render("below ${{ github.event.huge }}", scope()) == "below -Infinity"
    with pytest.raises(ExpressionError):
        pieces("${{ env.A")


names = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"true", "false", "null", "nan", "infinity"}
)
literals = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
).map(Literal)


def compound(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    operators = st.sampled_from(["||", "&&", "==", "!="])
    return st.one_of(
        st.builds(Not, inner),
        st.builds(Binary, operators, inner, inner),
        st.builds(Index, inner, inner),
        st.builds(Call, names, st.lists(inner, max_size=3).map(tuple)),
    )


nodes = st.recursive(st.one_of(literals, st.builds(Context, names)), compound, max_leaves=8)


def write(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    """Return an expression as text, with all parentheses."""
    match node:
        case Literal(None):
            return "null"
        case Literal(bool(value)):
            return str(value).lower()
        case Literal(str(value)):
            return "'" + value.replace("'", "''") + "'"
        case Literal(value):
            return repr(value)
        case Context(name):
            return name
        case Not(operand):
            return f"!({write(operand)})"
        case Index(target, key):
            return f"({write(target)})[{write(key)}]"
        case Call(name, arguments):
            return f"{name}( {' , '.join(write(argument) for argument in arguments)} )"
        case Binary(operator, left, right):
            return f"({write(left)}){operator}({write(right)})"


@given(nodes)
def test_written_expression_parses_to_the_same_node(node: Node) -> None:
    assert parse(write(node)) == node


@given(st.text(max_size=200))
def test_any_text_parses_or_raises_an_expression_error(text: str) -> None:
    with suppress(ExpressionError):
        parse(text)
    with suppress(ExpressionError):
        pieces(text)


@pytest.mark.parametrize("text", ["(" * 3000, "!" * 3000, "a" + "[0]" * 3000, "1" + "||1" * 3000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(st.floats(allow_infinity=False, min_value=-1e300, max_value=1e300) | st.just(math.nan))
def test_numbers_have_a_text(value: float) -> None:
    text = to_text(value)
    assert text == "NaN" if math.isnan(value) else math.isclose(float(text), value, rel_tol=1e-14)
