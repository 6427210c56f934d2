from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.port.templates import TemplateError, render

CONTEXT: dict[str, Any] = {
    "inputs": {"name": "a", "n": 2, "tags": ["x"], "on": True, "none": None},
    "entity": {},
    "action": {"identifier": "vm_create", "encryptedProperties": []},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        (7, 7),
        (None, None),
        ("{{ .inputs.name }}", "a"),
        ("  {{ .inputs.n }} ", 2),
        ("{{ .inputs.tags }}", ["x"]),
        ("{{ .inputs.on }}", True),
        ("{{ .inputs.missing }}", None),
        ("{{ empty }}", None),
        ('{{ .inputs."name" }}', "a"),
        ('{{ .action.identifier[("vm_" | length):] }}', "create"),
        ("{{ (if .entity == {} then null else .entity end) }}", None),
        ("{{ {a: {b: .inputs.n}} }}", {"a": {"b": 2}}),
        ("{{ {a: {b: .inputs.n}}}}", {"a": {"b": 2}}),
        ('{{ "}}" + .inputs.name }}', "}}a"),
        ("{{ .inputs.name }}-{{ .inputs.n }}", "a-2"),
        ("n={{ .inputs.n }}, tags={{ .inputs.tags }}", 'n=2, tags=["x"]'),
        ("{{ .inputs.name }}{{ .inputs.missing }}", "anull"),
        (["{{ .inputs.n }}", {"k": "{{ .inputs.on }}"}], [2, {"k": True}]),
    ],
)
def test_a_template_is_rendered(template: Any, expected: Any) -> None:
    assert render(template, CONTEXT) == expected


def test_a_key_that_is_null_drops_its_pair() -> None:
    def key(name: str) -> str:
        return f'{{{{ if (.inputs | has("{name}")) then "{name}" else null end }}}}'

    template = {key("n"): "{{ .inputs.n }}", key("memory"): "{{ .inputs.memory }}"}
    assert render(template, CONTEXT) == {"n": 2}


def test_spread_value_puts_the_pairs_in_its_place() -> None:
    template = {"first": 1, "{{ spreadValue() }}": "{{ .inputs }}", "n": 9}
    rendered = render(template, CONTEXT)
    assert list(rendered) == ["first", "name", "n", "tags", "on", "none"]
    assert rendered["n"] == 9
    assert render({"{{ spreadValue() }}": "{{ null }}"}, CONTEXT) == {}


@pytest.mark.parametrize(
    "template",
    [
        "{{ .inputs.name.x }}",
        "{{ .inputs | }}",
        "{{ }}",
        "{{ .inputs",
        '{{ error("no") }}',
        {"{{ spreadValue() }}": "{{ .inputs.n }}"},
        {"{{ .inputs.n }}": 1},
    ],
)
def test_what_cannot_be_rendered_is_an_error(template: Any) -> None:
    with pytest.raises(TemplateError):
        render(template, CONTEXT)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).filter(lambda value: "{{" not in str(value))


@given(PLAIN)
def test_what_holds_no_expression_stays_as_it_is(value: Any) -> None:
    assert render(value, {}) == value


@given(st.text())
def test_any_text_is_rendered_or_refused(text: str) -> None:
    with suppress(TemplateError):
        render("{{" + text + "}}", CONTEXT)
