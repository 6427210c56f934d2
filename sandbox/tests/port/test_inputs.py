from typing import Any

import pytest

from sandbox.port.errors import PortApiError
from sandbox.port.inputs import check_definition, fill_in

FORM: dict[str, Any] = {
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "environment": {"type": "string", "enum": ["Test", "Production"], "default": "Test"},
        "replicas": {"type": "number", "minimum": 1, "maximum": 9},
        "format": {"type": "string", "enum": ["JSON", "YAML"]},
        "values": {"type": "object", "visible": {"jqQuery": '.form.format == "JSON"'}},
        "values_yaml": {
            "type": "string",
            "format": "yaml",
            "visible": {"jqQuery": '.form.format == "YAML"'},
        },
        "size": {
            "type": "string",
            "enum": {"jqQuery": 'if .form.environment == "Test" then ["S"] else ["S", "L"] end'},
        },
        "owner": {"type": "string", "format": "email", "default": {"jqQuery": ".user.email"}},
        "hosts": {"type": "array", "items": {"type": "string", "format": "ipv4"}, "maxItems": 2},
        "homepage": {"type": "string", "format": "url"},
    },
    "required": ["name", "values", "values_yaml"],
}
CONTEXT = {"entity": None, "user": {"email": "a@b.example"}}
TYPED = {"name": "abc", "format": "JSON", "values": {"k": 1}}


def test_defaults_are_added_also_those_that_jq_computes() -> None:
    assert fill_in(FORM, TYPED, CONTEXT) == {
        **TYPED,
        "environment": "Test",
        "owner": "a@b.example",
    }


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "ABC"}, "name"),
        ({"name": "abcdef"}, "name"),
        ({"name": None}, "name"),
        ({"environment": "Moon"}, "environment"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": "2"}, "replicas"),
        ({"replicas": True}, "replicas"),
        ({"values": None}, "values"),
        ({"values": "text"}, "values"),
        ({"size": "L"}, "size"),
        ({"owner": "nobody"}, "owner"),
        ({"hosts": ["1.2.3.4", "300.1.1.1"]}, "hosts"),
        ({"hosts": ["1.2.3.4"] * 3}, "hosts"),
        ({"homepage": "here"}, "homepage"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_value_is_refused_by_name(change: dict[str, Any], word: str) -> None:
    with pytest.raises(PortApiError, match=word) as refused:
        fill_in(FORM, {**TYPED, **change}, CONTEXT)
    assert (refused.value.status, refused.value.code) == (422, "user_inputs_schema_invalid")


def test_what_is_not_visible_is_not_required_but_taken() -> None:
    typed = {"name": "abc", "format": "YAML", "values_yaml": "a: 1", "values": {"left": "over"}}
    assert fill_in(FORM, typed, CONTEXT)["values"] == {"left": "over"}
    assert "values" not in fill_in(FORM, {**typed, "values": None}, CONTEXT)


def test_enums_follow_other_inputs() -> None:
    assert fill_in(FORM, {**TYPED, "environment": "Production", "size": "L"}, CONTEXT)


def test_required_can_be_computed() -> None:
    query = 'if .form.format == "YAML" then ["values_yaml"] else [] end'
    form = {**FORM, "required": {"jqQuery": query}}
    assert fill_in(form, {}, CONTEXT)
    with pytest.raises(PortApiError, match="values_yaml"):
        fill_in(form, {"format": "YAML"}, CONTEXT)


def test_a_query_that_fails_is_named() -> None:
    form = {"properties": {"a": {"type": "string", "default": {"jqQuery": ".x | error"}}}}
    with pytest.raises(PortApiError, match="jq"):
        fill_in(form, {}, CONTEXT)


def test_a_right_definition_is_accepted() -> None:
    check_definition(FORM)
    titles = {"t": {"title": "More", "visible": False}}
    steps = [{"title": "One", "order": ["name", "t"]}]
    check_definition({**FORM, "titles": titles, "steps": steps})


@pytest.mark.parametrize(
    "definition",
    [
        None,
        {},
        {"properties": {"a": {"type": "text"}}},
        {"properties": {"a": {}}},
        {"properties": {"a": {"type": "string", "format": "entity"}}},
        {"properties": {"a": {"type": "string", "pattern": "("}}},
        {"properties": {"a": {"type": "string", "visible": "yes"}}},
        {"properties": {"a": {"type": "string", "dependsOn": ["b"]}}},
        {"properties": {"a": {"type": "number", "encryption": "aes256-gcm"}}},
        {"properties": {"a": {"type": "string", "encryption": "fernet"}}},
        {"properties": {}, "required": ["a"]},
        {"properties": {}, "order": ["a"]},
        {"properties": {}, "order": [], "steps": []},
        {"properties": {"a": {"type": "string", "jqQuery": ".x"}}},
    ],
)
def test_a_wrong_definition_is_refused(definition: Any) -> None:
    with pytest.raises(PortApiError) as refused:
        check_definition(definition)
    assert refused.value.code == "user_inputs_schema_invalid"
